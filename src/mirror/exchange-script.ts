/**
 * The one Lua script of the exchange: publish, sum up and read one upstream in a step that nothing can come between.
 *
 * Place: `redis-exchange.ts` runs it; `exchange-reply.ts` reads what it returns. docs/adr/0009 has the idea.
 * Keys, all under one hash tag, so that a Cluster keeps them on one node; all expire once nobody renews them:
 * - `lb4:{NAME}:i:<instance>` hash: backend → live sessions; `@owner`, `@number`, `@unseen` are bookkeeping. The lease
 *   is its expiry. After a withdrawal a tombstone stays for a while: `@owner`, `@number`, `@gone`.
 * - `lb4:{NAME}:instances` sorted set: instance → Redis's time in ms of its last publication.
 * - `lb4:{NAME}:load` sorted set: backend → live sessions of all instances.
 * - `lb4:{NAME}:state` hash: version of the totals, sum of everybody's unseen, longest lease.
 * Invariants: everything is read before anything is written, so a key of a wrong type fails the whole call; the first
 * write of a publication is one that Redis refuses when it is out of memory, so that fails it too. Totals are kept by difference; what
 * does not fit together (a lease has ended, a key is gone) is summed up anew. Whole numbers only, so nothing drifts.
 * Runs on Redis 6.2 and later and on Valkey.
 */

/** The hash tag: what Redis Cluster takes for the name of a key, braces not included. */
const tagged = (upstream: string): string => `lb4:{${upstream}}`;

/** What all instances' hashes of an upstream begin with. */
export const instancePrefix = (upstream: string): string => `${tagged(upstream)}:i:`;

/** The script's KEYS. */
export const exchangeKeys = (
  upstream: string,
  instance: string,
): readonly [string, string, string, string] => [
  instancePrefix(upstream) + instance,
  `${tagged(upstream)}:instances`,
  `${tagged(upstream)}:load`,
  `${tagged(upstream)}:state`,
];

/** Where changes of an upstream's totals are told. */
export const changesChannel = (upstream: string): string => `${tagged(upstream)}:changes`;

/** `unseen` is kept in thousandths. */
export const UNSEEN_UNITS = 1000;

/** Of how many totals at most a change is told; more are left to the next exchange. */
export const MOST_CHANGES_TOLD = 8;

/** The lease of a withdrawal: for how long an instance's late publications are known as such, in milliseconds. */
export const TOMBSTONE_MS = 10_000;

/**
 * ARGV: `publish` or `withdraw`, prefix of the instances' hashes, channel, instance, owner, number, lease in ms, unseen;
 * then backend and count in turn.
 */
export const EXCHANGE_SCRIPT = `
local own, instances, load, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local leaving, prefix, channel, me = ARGV[1] == 'withdraw', ARGV[2], ARGV[3], ARGV[4]
local owner, number, lease, unseen = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST = 9

-- Lua's stack bounds how many arguments one call can take.
local function call(command, key, list)
  for i = 1, #list, 4000 do
    redis.call(command, key, unpack(list, i, math.min(i + 3999, #list)))
  end
end

-- Who holds the name, and what does he say so far?
local flat = redis.call('HGETALL', own)
local old = {}
for i = 1, #flat, 2 do old[flat[i]] = flat[i + 1] end
local holder, gone = old['@owner'], old['@gone']
if holder and holder ~= owner and not gone then return {'nameTaken'} end
local late = holder == owner and number <= (tonumber(old['@number']) or 0)
local known = holder ~= nil and not gone
local unseenBefore = known and tonumber(old['@unseen']) or 0
if not known then old = {} end
if late then unseen = unseenBefore elseif leaving then unseen = 0 end

-- The others with a lease, and those whose lease has ended.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local listed = redis.call('ZRANGE', instances, 0, -1, 'WITHSCORES')
local others, dead, ahead, amListed = {}, {}, {}, false
for i = 1, #listed, 2 do
  if listed[i] == me then
    amListed = true
  else
    others[#others + 1] = listed[i]
    others[#others + 1] = tonumber(listed[i + 1])
  end
end
local alive = 0
for i = 1, #others, 2000 do
  local keys = {}
  for j = i, math.min(i + 1999, #others), 2 do keys[#keys + 1] = prefix .. others[j] end
  alive = alive + redis.call('EXISTS', unpack(keys))
end
if alive * 2 < #others then
  local live = {}
  for i = 1, #others, 2 do
    if redis.call('EXISTS', prefix .. others[i]) == 1 then
      live[#live + 1] = others[i]
      live[#live + 1] = others[i + 1]
    else
      dead[#dead + 1] = others[i]
    end
  end
  others = live
end
-- A heartbeat in the future: the clock went back, and no lease would end before it is there again.
for i = 2, #others, 2 do
  if others[i] > now then
    ahead[#ahead + 1] = others[i - 1]
    others[i] = now
  end
end

-- The totals so far: backend and total in turn, and where each backend's total stands.
local totals = redis.call('ZRANGE', load, 0, -1, 'WITHSCORES')
local at = {}
for i = 1, #totals, 2 do at[totals[i]] = i + 1 end
local kept = redis.call('HMGET', state, 'version', 'unseen', 'lease')
local version, unseenSum, longest = tonumber(kept[1]), tonumber(kept[2]), tonumber(kept[3]) or 0
local anew = #dead > 0 or known ~= amListed or not version or not unseenSum
version = version or now
unseenSum = (unseenSum or 0) + unseen - unseenBefore

-- What is different from before, in the own hash and in the totals.
local write, drop, scores, deltas, idle = {}, {}, {}, {}, {}
local function change(backend, delta)
  local i = at[backend]
  local total = (i and totals[i] or 0) + delta
  if i == nil then
    i = #totals + 2
    totals[i - 1] = backend
    at[backend] = i
  end
  totals[i] = total
  scores[#scores + 1] = total
  scores[#scores + 1] = backend
  if delta ~= 0 then
    deltas[#deltas + 1] = backend
    deltas[#deltas + 1] = delta
  end
  if total < 0 then anew = true end
  return total
end
if not late then
  local same = 0
  for i = FIRST, #ARGV, 2 do
    local backend, count = ARGV[i], ARGV[i + 1]
    local before = old[backend]
    if before then same = same + 1 end
    if before ~= count then
      write[#write + 1] = backend
      write[#write + 1] = count
    end
    if before and not at[backend] then
      anew = true
    elseif before ~= count then
      change(backend, count - (before or 0))
    end
  end
  if known and same < #flat / 2 - 3 then
    local stays = {}
    for i = FIRST, #ARGV, 2 do stays[ARGV[i]] = true end
    for backend, before in pairs(old) do
      if not stays[backend] and string.byte(backend) ~= 64 then
        drop[#drop + 1] = backend
        if not at[backend] then
          anew = true
        elseif change(backend, -before) == 0 then
          idle[#idle + 1] = backend
        end
      end
    end
  end
end

local removed = {}
if anew then
  -- Summed up over everybody who has a lease.
  local sum = {}
  unseenSum = unseen
  for i = 1, #others, 2 do
    local theirs = redis.call('HGETALL', prefix .. others[i])
    for j = 1, #theirs, 2 do
      local field = theirs[j]
      if field == '@unseen' then
        unseenSum = unseenSum + theirs[j + 1]
      elseif string.byte(field) ~= 64 then
        sum[field] = (sum[field] or 0) + theirs[j + 1]
      end
    end
  end
  if late then
    for backend, count in pairs(old) do
      if string.byte(backend) ~= 64 then sum[backend] = (sum[backend] or 0) + count end
    end
  else
    for i = FIRST, #ARGV, 2 do sum[ARGV[i]] = (sum[ARGV[i]] or 0) + ARGV[i + 1] end
  end
  totals, scores = {}, {}
  for backend, total in pairs(sum) do
    totals[#totals + 1] = backend
    totals[#totals + 1] = total
    scores[#scores + 1] = total
    scores[#scores + 1] = backend
  end
elseif #idle > 0 then
  -- Backends that this instance no longer has and nobody uses go, unless another instance has them.
  local has = {}
  for i = 1, #others, 2 do
    for j = 1, #idle, 4000 do
      local last = math.min(j + 3999, #idle)
      local theirs = redis.call('HMGET', prefix .. others[i], unpack(idle, j, last))
      for k = j, last do has[k] = has[k] or theirs[k - j + 1] end
    end
  end
  local isRemoved = {}
  for k = 1, #idle do
    if not has[k] then
      removed[#removed + 1] = idle[k]
      isRemoved[idle[k]] = true
    end
  end
  local rest = {}
  for i = 1, #totals, 2 do
    if not isRemoved[totals[i]] then
      rest[#rest + 1] = totals[i]
      rest[#rest + 1] = totals[i + 1]
    end
  end
  totals = rest
end

if anew or not late then
  -- From here on only writes.
  if amListed and ((leaving and not late) or (late and not known)) then dead[#dead + 1] = me end
  call('ZREM', instances, leaving and dead or {})
  local beats = {}
  if not late and not leaving then beats = {now, me} end
  for i = 1, #ahead do
    beats[#beats + 1] = now
    beats[#beats + 1] = ahead[i]
  end
  call('ZADD', instances, beats)
  call('ZREM', instances, leaving and {} or dead)
  for i = 1, #ahead do redis.call('PEXPIRE', prefix .. ahead[i], lease) end
  if not late and (leaving or not known) and #flat > 0 then redis.call('DEL', own) end
  if leaving and not late then
    redis.call('HSET', own, '@owner', owner, '@number', number, '@gone', 1)
    redis.call('PEXPIRE', own, lease)
  elseif not late then
    redis.call('HSET', own, '@owner', owner, '@number', number, '@unseen', unseen)
    call('HSET', own, write)
    call('HDEL', own, drop)
    redis.call('PEXPIRE', own, lease)
  end
  if anew then redis.call('DEL', load) end
  call('ZADD', load, scores)
  call('ZREM', load, removed)

  if anew or #deltas > 0 then version = version + 1 end
  if anew or lease > longest then longest = lease end
  redis.call('HSET', state, 'version', string.format('%.0f', version), 'unseen', unseenSum, 'lease', longest)
  redis.call('PEXPIRE', instances, longest)
  redis.call('PEXPIRE', load, longest)
  redis.call('PEXPIRE', state, longest)
  if not anew and #deltas > 0 and #deltas <= ${2 * MOST_CHANGES_TOLD} then
    local told = {}
    for i = 1, #deltas, 2 do told[deltas[i]] = deltas[i + 1] end
    -- Whoever may not use the channel shares counts all the same.
    local message = {instance = me, version = string.format('%.0f', version), deltas = told}
    redis.pcall('PUBLISH', channel, cjson.encode(message))
  end
end

for i = 2, #others, 2 do others[i] = now - others[i] end
return {'totals', version, known and 0 or 1, unseenSum - unseen, others, totals}
`;
