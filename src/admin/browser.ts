/**
 * The part of a browser that the dashboard uses. The compiler's own types for browsers would be everywhere in the
 * program, beside those of its runtimes. Only types; nothing here runs.
 *
 * @module
 */

/** An element of a page, with what any kind of element has of this. */
export interface PageElement {
  textContent: string | null;
  className: string;
  hidden: boolean;
  title: string;
  tabIndex: number;
  ariaLabel: string | null;
  ariaHidden: string | null;
  value: string;
  placeholder: string;
  disabled: boolean;
  scrollTop: number;
  readonly clientHeight: number;
  readonly isConnected: boolean;
  readonly dataset: Record<string, string | undefined>;
  readonly style: { height: string; setProperty(name: string, value: string): void };
  readonly classList: { toggle(name: string, on: boolean): void };
  readonly parentElement: PageElement | null;
  readonly firstElementChild: PageElement | null;
  readonly lastElementChild: PageElement | null;
  readonly nextElementSibling: PageElement | null;
  /** Those of a row of a table. */
  readonly cells: readonly PageElement[];
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  append(...nodes: (PageElement | string)[]): void;
  after(node: PageElement): void;
  replaceChildren(...nodes: PageElement[]): void;
  remove(): void;
  matches(selector: string): boolean;
  closest(selector: string): PageElement | null;
  focus(options?: { readonly preventScroll: boolean }): void;
  blur(): void;
  select(): void;
  click(): void;
  /** Those of a dialog. */
  showModal(): void;
  close(): void;
  addEventListener: Listen;
}

/** What a user did. */
export interface PageEvent {
  readonly target: PageElement;
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  preventDefault(): void;
}

type Listen = (
  type: string,
  listener: (event: PageEvent) => unknown,
  options?: { readonly passive: boolean },
) => void;

/** The window of a page. */
export interface PageWindow {
  readonly document: {
    title: string;
    readonly body: PageElement;
    readonly documentElement: PageElement;
    readonly activeElement: PageElement | null;
    getElementById(id: string): PageElement | null;
    querySelector(selector: string): PageElement | null;
    querySelectorAll(selector: string): Iterable<PageElement>;
    createElement(name: string): PageElement;
    addEventListener: Listen;
  };
  readonly sessionStorage: {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
    removeItem(name: string): void;
  };
  readonly EventSource: new (url: string) => {
    addEventListener(type: string, listener: (event: { readonly data: string }) => void): void;
  };
  readonly matchMedia: (query: string) => { readonly matches: boolean };
  readonly addEventListener: Listen;
}
