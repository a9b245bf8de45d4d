/**
 * Finds the first of many rules that holds for a request, without trying them all.
 *
 * @module
 */

import { blockAround, type IpAddress, type IpBlock } from "../addresses/ip_block.ts";
import type { Subject } from "./rule_request.ts";
import type { Key, Word } from "./word.ts";

/** A part of the hash of a key, so that a user has another hash than a host with the same name. */
const TAGS: Readonly<Record<Key["of"], number>> = { name: 1, ending: 2, user: 3, address: 4, client: 5 };

/** Random, so that nobody can write a list whose names all have one hash. */
const SEED = crypto.getRandomValues(new Int32Array(1))[0];

const DOT = ".".charCodeAt(0);

type Lengths = Readonly<Record<"address" | "client", Readonly<Record<IpAddress["version"], number[]>>>>;

/**
 * Rules in their order, filed under the hashes of their keys. A request has few keys, so it meets few rules. A rule is
 * filed under the keys of one of its words, those that are rarest among all rules. Rules without keys, such as
 * `deny *:25`, are tried one after another.
 *
 * A request whose address is not known yet may meet every rule that is filed under addresses. Of those that give the
 * same answer then (`Word.gist`), only the first counts.
 */
export class RuleIndex<Rule extends { readonly match: Word }> {
  readonly #rules: readonly Rule[];
  /** The numbers of the rules without keys. */
  readonly #keyless: number[] = [];
  /** The numbers of the rules that count while the address is not known. */
  readonly #unresolved: number[] = [];
  /** The lengths of the prefixes of blocks, by what they are about and the version of IP. */
  readonly #lengths = { address: { 4: [], 6: [] }, client: { 4: [], 6: [] } } as Lengths;
  #hasClients = false;
  readonly #filed: HashTable;

  /** Takes the rules in their order. */
  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    const counts = new Counts(rules);
    const hashes: number[] = [];
    const numbers: number[] = [];
    const gists = new Set<string>();
    for (let number = 0; number < rules.length; number++) {
      const { match } = rules[number];
      const keys = counts.rarest(match, gists.size);
      if (!keys) this.#keyless.push(number);
      for (const key of keys ?? []) {
        this.#noteBlock(key);
        hashes.push(hashOf(key));
        numbers.push(number);
      }
      if (!keys?.some(isAddress) || gists.has(match.gist)) continue;
      gists.add(match.gist);
      this.#unresolved.push(number);
    }
    this.#filed = new HashTable(hashes, numbers);
  }

  /** How many rules there are. */
  get size(): number {
    return this.#rules.length;
  }

  /** The first rule that holds, or that may hold once the address is known. */
  first(subject: Subject): Rule | undefined {
    let first = this.#among(this.#keyless, subject, Infinity);
    if (!subject.address && subject.unresolved !== false) {
      first = this.#among(this.#unresolved, subject, first);
    }
    if (this.#filed.size === 0) return this.#rules[first];
    const { name, user, address } = subject;
    let hash = SEED;
    for (let i = name.length - 1; i >= 0; i--) {
      hash = mix(hash, name.charCodeAt(i));
      if (i === 0 || name.charCodeAt(i - 1) === DOT) {
        first = this.#under(mix(hash, TAGS.ending), subject, first);
      }
    }
    first = this.#under(mix(hash, TAGS.name), subject, first);
    if (user !== undefined) first = this.#under(hashOfText(user, TAGS.user), subject, first);
    if (address) first = this.#underBlocks("address", address, subject, first);
    const client = this.#hasClients ? subject.client : undefined;
    if (client) first = this.#underBlocks("client", client, subject, first);
    return this.#rules[first];
  }

  /** All rules that hold, in their order, for a request whose address is known or never will be. */
  all(subject: Subject): Rule[] {
    const found = this.#keyless.filter((number) => this.#rules[number].match.holds(subject));
    if (this.#filed.size > 0) {
      for (const hash of this.#hashesOf(subject)) this.#gather(hash, subject, found);
      // A rule that is filed under several keys may have been found under each.
      if (found.length > 1) found.sort((a, b) => a - b);
    }
    return found.filter((number, i) => number !== found[i - 1]).map((number) => this.#rules[number]);
  }

  /** The hashes under which the rules about a request are filed. */
  #hashesOf(subject: Subject): number[] {
    const { name, user } = subject;
    const hashes: number[] = [];
    let hash = SEED;
    for (let i = name.length - 1; i >= 0; i--) {
      hash = mix(hash, name.charCodeAt(i));
      if (i === 0 || name.charCodeAt(i - 1) === DOT) hashes.push(mix(hash, TAGS.ending));
    }
    hashes.push(mix(hash, TAGS.name));
    if (user !== undefined) hashes.push(hashOfText(user, TAGS.user));
    if (subject.address) this.#hashBlocks("address", subject.address, hashes);
    const client = this.#hasClients ? subject.client : undefined;
    if (client) this.#hashBlocks("client", client, hashes);
    return hashes;
  }

  #hashBlocks(of: "address" | "client", address: IpAddress, hashes: number[]): void {
    for (const bits of this.#lengths[of][address.version]) {
      hashes.push(hashOfBlock(blockAround(address, bits), TAGS[of]));
    }
  }

  #gather(hash: number, subject: Subject, found: number[]): void {
    const { hashes, numbers, starts } = this.#filed;
    const bucket = this.#filed.bucketOf(hash);
    for (let i = starts[bucket]; i < starts[bucket + 1]; i++) {
      if (hashes[i] === hash && this.#rules[numbers[i]].match.holds(subject)) found.push(numbers[i]);
    }
  }

  /** The first of some rules that holds or may hold, if it comes before another one. Otherwise the other one. */
  #among(numbers: readonly number[], subject: Subject, other: number): number {
    for (const number of numbers) {
      if (number >= other) return other;
      if (this.#rules[number].match.holds(subject) !== false) return number;
    }
    return other;
  }

  /** The same among the rules under a hash. */
  #under(hash: number, subject: Subject, other: number): number {
    const { hashes, numbers, starts } = this.#filed;
    const bucket = this.#filed.bucketOf(hash);
    for (let i = starts[bucket]; i < starts[bucket + 1] && numbers[i] < other; i++) {
      if (hashes[i] === hash && this.#rules[numbers[i]].match.holds(subject) !== false) return numbers[i];
    }
    return other;
  }

  /** The same among the rules about blocks that an address is in. */
  #underBlocks(of: "address" | "client", address: IpAddress, subject: Subject, other: number): number {
    let first = other;
    for (const bits of this.#lengths[of][address.version]) {
      first = this.#under(hashOfBlock(blockAround(address, bits), TAGS[of]), subject, first);
    }
    return first;
  }

  #noteBlock(key: Key): void {
    if (!("block" in key)) return;
    const { version, bits } = key.block;
    const lengths = this.#lengths[key.of][version];
    if (!lengths.includes(bits)) lengths.push(bits);
    if (key.of === "client") this.#hasClients = true;
  }
}

/** Numbers of rules by the hashes of their keys, in three flat arrays: 12 to 16 bytes for a key. */
class HashTable {
  readonly size: number;
  /** Bucket → where its entries begin. They end where those of the next bucket begin. */
  readonly starts: Uint32Array;
  readonly hashes: Int32Array;
  /** The numbers of a bucket rise. */
  readonly numbers: Uint32Array;

  /** Takes hashes and the numbers that belong to them. The numbers rise. */
  constructor(hashes: readonly number[], numbers: readonly number[]) {
    this.size = hashes.length;
    this.starts = new Uint32Array(powerOfTwo(this.size) + 1);
    this.hashes = new Int32Array(this.size);
    this.numbers = new Uint32Array(this.size);
    for (const hash of hashes) this.starts[this.bucketOf(hash) + 1]++;
    for (let bucket = 1; bucket < this.starts.length; bucket++) {
      this.starts[bucket] += this.starts[bucket - 1];
    }
    const next = this.starts.slice();
    for (let i = 0; i < this.size; i++) {
      const at = next[this.bucketOf(hashes[i])]++;
      this.hashes[at] = hashes[i];
      this.numbers[at] = numbers[i];
    }
  }

  bucketOf(hash: number): number {
    return hash & (this.starts.length - 2);
  }
}

/** About how many rules have each key. */
class Counts {
  readonly #counts: Uint32Array;

  constructor(rules: readonly { readonly match: Word }[]) {
    // Where every rule has one word, there is nothing to choose.
    const choices = rules.some(({ match }) => match.parts.length > 1) ? rules : [];
    this.#counts = new Uint32Array(powerOfTwo(4 * choices.length));
    for (const { match } of choices) {
      for (const word of match.parts) for (const key of word.keys() ?? []) this.#counts[this.#at(key)]++;
    }
  }

  /** The keys of the word whose keys are rarest. Those of addresses are no rarer than the rules that they are tried with. */
  rarest({ parts }: Word, unresolved: number): readonly Key[] | undefined {
    if (parts.length === 1) return parts[0].keys();
    let rarest: readonly Key[] | undefined;
    let least = Infinity;
    for (const word of parts) {
      const keys = word.keys();
      if (!keys) continue;
      const count = Math.max(
        ...keys.map((key) => this.#counts[this.#at(key)]),
        keys.some(isAddress) ? unresolved + 1 : 0,
      );
      if (count < least) [rarest, least] = [keys, count];
    }
    return rarest;
  }

  #at(key: Key): number {
    return hashOf(key) & (this.#counts.length - 1);
  }
}

function isAddress({ of }: Key): boolean {
  return of === "address";
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}

function hashOf(key: Key): number {
  return "block" in key ? hashOfBlock(key.block, TAGS[key.of]) : hashOfText(key.text, TAGS[key.of]);
}

/** Begins at the end of the text. So the hashes of all endings of a name take one pass over it. */
function hashOfText(text: string, tag: number): number {
  let hash = SEED;
  for (let i = text.length - 1; i >= 0; i--) hash = mix(hash, text.charCodeAt(i));
  return mix(hash, tag);
}

function hashOfBlock({ version, bits, a, b, c, d }: IpBlock, tag: number): number {
  const hash = mix(mix(mix(SEED, tag), version), bits);
  return version === 4 ? mix(hash, a) : mix(mix(mix(mix(hash, a), b), c), d);
}

/** Mixes a number into a hash (the multiplier of FNV-1a, and a shift that brings high bits down). */
function mix(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x0100_0193);
  return product ^ product >>> 15;
}
