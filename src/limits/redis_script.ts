/**
 * The script that counts in Redis or Valkey: one run answers all questions of a batch, and nobody else counts meanwhile.
 *
 * It counts as `memory_store.ts` does, by the server's clock. Its keys have one hash tag, so that a cluster keeps them
 * together.
 *
 * @module
 */

/** What every key begins with. */
export const PREFIX = "{sluice}";

/** The keys of all machines and of all processes that hold connections, each with the time when it was last heard of. */
export const MACHINES: string = `${PREFIX}:machines`;
export const ASKERS: string = `${PREFIX}:askers`;

/** Who is silent for this long has ended, in milliseconds, and so have its connections. */
export const SILENCE = 10_000;

/**
 * Takes the machine, the asker, and the questions in JSON. Returns how many machines there are, and for each question
 * what is granted, the wait in microseconds, and what is used.
 */
export const SCRIPT: string = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local machines, askers = KEYS[1], KEYS[2]
local asker = ARGV[2]
redis.call('ZADD', machines, now, ARGV[1])
if asker ~= '' then redis.call('ZADD', askers, now, asker) end
redis.call('ZREMRANGEBYSCORE', machines, '-inf', now - ${SILENCE})
redis.call('ZREMRANGEBYSCORE', askers, '-inf', now - ${SILENCE})

local function get(key) return tonumber(redis.call('GET', key) or '0') end
local function set(key, value, life)
  redis.call('SET', key, string.format('%.3f', value), 'PX', math.max(1, math.ceil(life)))
end

local count = {}
function count.connections(key, ask)
  local before, others = 0, 0
  local held = redis.call('HGETALL', key)
  for i = 1, #held, 2 do
    if held[i] == ask.asker then before = tonumber(held[i + 1])
    elseif redis.call('ZSCORE', askers, held[i]) then others = others + tonumber(held[i + 1])
    else redis.call('HDEL', key, held[i]) end
  end
  local granted = ask.want
  if not ask.force then
    granted = math.max(math.min(ask.want, ask.most - others), math.min(ask.want, before))
  end
  if granted > 0 then
    redis.call('HSET', key, ask.asker, granted)
    redis.call('PEXPIRE', key, 86400000)
  else redis.call('HDEL', key, ask.asker) end
  return granted, 0, 0
end
function count.rate(key, ask)
  local interval = ask.time / ask.most
  local full = math.max(get(key) - ask.back * interval, now)
  local granted = math.max(0, math.min(ask.want, math.floor(ask.most - (full - now) / interval + 0.000001)))
  full = full + granted * interval
  if full > now then set(key, full, full - now) else redis.call('DEL', key) end
  return granted, math.max(0, full - now - (ask.most - 1) * interval), 0
end
function count.bandwidth(key, ask)
  local taken = math.max(get(key), now - ask.catchUp) + ask.want / ask.most * 1000
  set(key, taken, taken - now + ask.catchUp)
  return ask.want, math.max(0, taken - now), 0
end
function count.quota(key, ask)
  local used = get(key)
  -- The store may have lost what it knew.
  if ask.seen > used then used = ask.seen end
  if ask.spent > 0 and redis.call('SET', key .. ask.report, 1, 'NX', 'PX', 3600000) then used = used + ask.spent end
  used = math.max(0, used - ask.back)
  local left = ask.most - used
  local granted = 0
  if left > 0 then
    granted = math.min(ask.want, math.max(math.ceil(left / 16), math.min(left, 65536)))
  end
  used = used + granted
  if used > 0 then set(key, used, ask.life) end
  return granted, 0, used
end

local answer = { redis.call('ZCARD', machines) }
for _, ask in ipairs(cjson.decode(ARGV[3])) do
  local granted, wait, used = count[ask.kind](ask.key, ask)
  answer[#answer + 1] = math.floor(granted)
  answer[#answer + 1] = math.ceil(wait * 1000)
  answer[#answer + 1] = math.floor(used)
end
return answer
`;
