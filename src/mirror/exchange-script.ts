/**
 * The one Lua script of the exchange: publish, sum up and read one upstream in a step that nothing can come between.
 *
 * Place: `redis-exchange.ts` runs it; `exchange-codec.ts` writes its arguments and reads its reply. docs/adr/0009 has
 * the idea.
 * Keys, all under one hash tag, so that a Cluster keeps them on one node; all expire once nobody renews them:
 * - `lb4:{NAME}:i:<instance>` hash, what one instance says: `owner`, `number`, `unseen`, `lease` in ms, `backends`,
 *   `counts`. It expires with the lease. After a withdrawal a tombstone stays for a while: `owner`, `number`, `gone`.
 * - `lb4:{NAME}:instances` hash: instance → Redis's time in ms of its last publication.
 * - `lb4:{NAME}:state` hash: `version`, `unseen`, `backends` and `totals` of all instances together, the
 *   `shortest` and the `longest` lease, when `load` was `viewed`, and when all three `ends`.
 * - `lb4:{NAME}:load` sorted set, for people: backend → live sessions of all instances. A few changes are in it at
 *   once, many after a second at most: writing a hundred scores takes longer than everything else.
 * Lists are compact: names end in NUL, numbers are unsigned 32-bit, big-endian, in the order of the names. Formatting
 * and parsing a hundred of them as text, or keeping each in a field of its own, costs several times the exchange.
 * Invariants: everything is read before anything is written, so a key of a wrong type fails the whole call; the first
 * write of a publication is one that Redis refuses when it is out of memory, so that fails it too. Totals are kept by
 * difference; whenever somebody joins, leaves or has other backends than before, and when something does not fit
 * together, they are summed up anew. Whole numbers only, so nothing drifts. Runs on Redis 6.2 and later, and Valkey.
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
  `${tagged(upstream)}:state`,
  `${tagged(upstream)}:load`,
];

/** Where changes of an upstream's totals are told. */
export const changesChannel = (upstream: string): string => `${tagged(upstream)}:changes`;

/** `unseen` is kept in thousandths. */
export const UNSEEN_UNITS = 1000;

/** Of how many totals at most a change is told; more are left to the next exchange. */
export const MOST_CHANGES_TOLD = 8;

/** The lease of a withdrawal: for how long an instance's late publications are known as such, in milliseconds. */
export const TOMBSTONE_MS = 10_000;

/** How old `load` may be at an exchange, in milliseconds. */
const VIEW_MS = 1_000;

/**
 * ARGV: `publish` or `withdraw`, prefix of the instances' hashes, channel, instance, owner, number, lease in ms,
 * unseen, backends, counts.
 */
export const EXCHANGE_SCRIPT = `
local own, instances, state, load = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local leaving, prefix, channel, me = ARGV[1] == 'withdraw', ARGV[2], ARGV[3], ARGV[4]
local owner, number, lease, unseen = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local backends, counts = ARGV[9], ARGV[10]

local function split(names)
  local list = {}
  for name in string.gmatch(names, '[^%z]+') do list[#list + 1] = name end
  return list
end

local MOST_TOLD, VIEW_MS = ${MOST_CHANGES_TOLD}, ${VIEW_MS}
-- At most so many at once: Lua's stack is bounded.
local MOST = 2000
local function decode(bytes)
  local list, length = {}, #bytes / 4
  for from = 0, length - 1, MOST do
    local some = math.min(MOST, length - from)
    local part = {struct.unpack('>' .. string.rep('I4', some), bytes, from * 4 + 1)}
    if length <= MOST then
      part[some + 1] = nil
      return part
    end
    for i = 1, some do list[from + i] = part[i] end
  end
  return list
end
local function encode(list)
  local parts = {}
  for from = 0, #list - 1, MOST do
    local some = math.min(MOST, #list - from)
    parts[#parts + 1] = struct.pack('>' .. string.rep('I4', some), unpack(list, from + 1, from + some))
  end
  return table.concat(parts)
end
local function call(command, key, list)
  for i = 1, #list, MOST do redis.call(command, key, unpack(list, i, math.min(i + MOST - 1, #list))) end
end

-- Who holds the name, and what has he said?
local said = redis.call('HMGET', own, 'owner', 'number', 'unseen', 'backends', 'counts', 'gone', 'lease')
local known = said[1] and not said[6] and said[4] and said[5]
if said[1] and said[1] ~= owner and not said[6] then return {'nameTaken'} end
local late = said[1] == owner and number <= (tonumber(said[2]) or 0)
local unseenBefore = known and tonumber(said[3]) or 0
if late then
  unseen, backends, counts = unseenBefore, known and said[4] or '', known and said[5] or ''
elseif leaving then
  unseen, backends, counts = 0, '', ''
end

-- The totals so far.
local kept = redis.call('HMGET', state, 'version', 'unseen', 'backends', 'totals', 'shortest', 'longest', 'viewed', 'ends')
local version, unseenSum, names, totals = tonumber(kept[1]), tonumber(kept[2]), kept[3], kept[4]
local shortest, longest, viewed, ends = tonumber(kept[5]), tonumber(kept[6]), tonumber(kept[7]), tonumber(kept[8])
local shownAt = viewed

-- The others with a lease, and whoever has none any more: nobody is before the shortest lease is over.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local beats = redis.call('HGETALL', instances)
local others, gone, ahead, amListed = {}, {}, {}, false
for i = 1, #beats, 2 do
  local name, beat = beats[i], tonumber(beats[i + 1]) or 0
  if name == me then
    amListed = true
  elseif now - beat >= (shortest or 0) and redis.call('EXISTS', prefix .. name) == 0 then
    gone[#gone + 1] = name
  else
    -- In the future: the clock went back, and no lease would end before it is there again.
    if beat > now then
      ahead[#ahead + 1] = name
      beat = now
    end
    others[#others + 1] = name
    others[#others + 1] = now - beat
  end
end

local shown = redis.call('ZCARD', load)
local anew = #gone > 0 or not (version and unseenSum and names and totals and shortest and longest and viewed and ends)
  or not late and not (known and amListed and backends == said[4])
version = version or now

-- By difference: which totals change, and by how much.
local changed, deltas, list, sums = {}, {}, nil, nil
if not anew then
  unseenSum = unseenSum + unseen - unseenBefore
  anew = unseenSum < unseen
  if not anew and not late and counts ~= said[5] then
    local before, after, at = decode(said[5]), decode(counts), nil
    sums = decode(totals)
    if backends ~= names then
      local places = {}
      for i, name in ipairs(split(names)) do places[name] = i end
      at = {}
      for i, name in ipairs(split(backends)) do at[i] = places[name] end
    end
    for i = 1, #after do
      local delta = after[i] - (before[i] or 0)
      if delta ~= 0 then
        local place = i
        if at then place = at[i] end
        local sum = place and sums[place] and sums[place] + delta or -1
        if sum < 0 then
          anew = true
          break
        end
        sums[place] = sum
        changed[#changed + 1] = place
        deltas[#deltas + 1] = delta
      end
    end
    if not anew then totals = encode(sums) end
  end
end

if anew then
  -- Over everybody who has a lease. All have the same backends, as a rule.
  unseenSum, names, sums = unseen, backends, decode(counts)
  shortest, longest, ends = math.huge, 0, 0
  local listed, places = others, nil
  others = {}
  for other = 1, #listed, 2 do
    local theirs = redis.call('HMGET', prefix .. listed[other], 'unseen', 'backends', 'counts', 'lease')
    local theirNames, theirCounts = theirs[2], decode(theirs[3] or '')
    if not theirNames then
      gone[#gone + 1] = listed[other]
    else
      others[#others + 1] = listed[other]
      others[#others + 1] = listed[other + 1]
      unseenSum = unseenSum + (tonumber(theirs[1]) or 0)
      shortest = math.min(shortest, tonumber(theirs[4]) or 0)
      longest = math.max(longest, tonumber(theirs[4]) or 0)
      if names == '' then names, sums = theirNames, {} end
    end
    if theirNames == names then
      for i, count in ipairs(theirCounts) do sums[i] = (sums[i] or 0) + count end
    elseif theirNames then
      if not list then
        list, places = split(names), {}
        for i, name in ipairs(list) do places[name] = i end
      end
      for i, name in ipairs(split(theirNames)) do
        local place = places[name]
        if not place then
          place = #list + 1
          list[place], places[name] = name, place
        end
        sums[place] = (sums[place] or 0) + (theirCounts[i] or 0)
      end
    end
  end
  if list then
    names = table.concat(list, '\\0')
    if #list > 0 then names = names .. '\\0' end
  end
  totals = encode(sums)
end

if anew or not late then
  -- From here on only writes. Who leaves frees memory, so that he may even when there is none.
  if amListed and leaving and not late then gone[#gone + 1] = me end
  if leaving then call('HDEL', instances, gone) end
  local heard = {}
  if not late and not leaving then heard = {me, now} end
  for _, name in ipairs(ahead) do
    heard[#heard + 1] = name
    heard[#heard + 1] = now
  end
  call('HSET', instances, heard)
  if not leaving then call('HDEL', instances, gone) end
  for _, name in ipairs(ahead) do redis.call('PEXPIRE', prefix .. name, lease) end
  if not late then
    if leaving then
      redis.call('DEL', own)
      redis.call('HSET', own, 'owner', owner, 'number', ARGV[6], 'gone', 1)
    elseif not known or backends ~= said[4] then
      redis.call('DEL', own)
      redis.call('HSET', own, 'owner', owner, 'number', ARGV[6], 'unseen', ARGV[8], 'lease', ARGV[7])
      redis.call('HSET', own, 'backends', backends, 'counts', counts)
    elseif counts ~= said[5] or unseen ~= unseenBefore or ARGV[7] ~= said[7] then
      redis.call('HSET', own, 'number', ARGV[6], 'unseen', ARGV[8], 'lease', ARGV[7], 'counts', counts)
    else
      redis.call('HSET', own, 'number', ARGV[6])
    end
    redis.call('PEXPIRE', own, ARGV[7])
  end

  -- What people look at.
  local many, last = #changed > MOST_TOLD or viewed and viewed < 0, math.abs(viewed or 0)
  local isWrong = anew or shown ~= #totals / 4
  if isWrong or now < last or many and now - last >= VIEW_MS then
    if isWrong then redis.call('DEL', load) end
    local scores = {}
    sums = sums or decode(totals)
    for i, name in ipairs(list or split(names)) do
      scores[#scores + 1] = string.format('%d', sums[i])
      scores[#scores + 1] = name
    end
    call('ZADD', load, scores)
    viewed = now
  elseif many then
    -- Below zero: not all has been shown since then.
    viewed = -last
  end

  if anew or #changed > 0 then version = version + 1 end
  local versionText = string.format('%.0f', version)
  if not anew and #changed > 0 and #changed <= MOST_TOLD then
    local byName, told, scores = split(names), {}, {}
    for i, place in ipairs(changed) do
      told[byName[place]] = deltas[i]
      scores[#scores + 1] = string.format('%d', sums[place])
      scores[#scores + 1] = byName[place]
    end
    call('ZADD', load, scores)
    -- Whoever may not use the channel shares counts all the same.
    redis.pcall('PUBLISH', channel, cjson.encode({instance = me, version = versionText, deltas = told}))
  end
  if anew then redis.call('HSET', state, 'backends', names) end
  if anew or #changed > 0 or unseen ~= unseenBefore or viewed ~= shownAt then
    redis.call('HSET', state, 'version', versionText, 'unseen', unseenSum, 'totals', totals, 'viewed', viewed)
  end
  -- Twice the longest lease, so that these are not renewed each time.
  local shorter, longer = shortest, longest
  if not leaving then shorter, longer = math.min(lease, shortest), math.max(lease, longest) end
  if anew or shorter < shortest or longer > longest or ends - now < longer or ends - now > 2 * longer then
    ends = now + 2 * longer
    redis.call('HSET', state, 'shortest', math.min(shorter, longer), 'longest', longer, 'ends', ends)
    redis.call('PEXPIRE', instances, 2 * longer)
    redis.call('PEXPIRE', state, 2 * longer)
    redis.call('PEXPIRE', load, 2 * longer)
  end
end

return {'totals', version, known and 0 or 1, unseenSum - unseen, others, names, totals}
`;
