-- The exchange: publishes, sums up and reads one upstream in a step that nothing can come between.
--
-- Place: exchange-script.ts puts the numbers MOST_TOLD to SAME_BACKENDS before it; redis-client.ts runs it.
-- exchange-keys.ts says what stands in Redis, exchange-codec.ts writes the arguments and reads the reply. After a
-- change run `node dist/scripts/generate.js`, which writes exchange-lua.ts. docs/adr/0009 has the idea. Runs on Redis
-- 6.2 and later, and Valkey.
--
-- ARGV: 'publish' or 'withdraw', instance, owner, number, lease in ms, unseen, backends, counts, the epoch that the
-- caller knows; with SAME_BACKENDS for backends also the number of the publication since which there are these
-- changes: pairs of place, from 1, and difference.
-- Replies 'nameTaken'; 'again', if the script needs all of it; or 'totals', version, whether it did not know the
-- instance, the others' unseen, age of the oldest count in use in ms, whether changes are reported, epoch, totals, and,
-- where the caller's epoch is another one, the backends and the other instances.
--
-- Costs:
-- * A small change is reported at once, on the channel and in 'load', while there are few of them. Else instances learn
--   of it at their next exchange, and people after a second at most: both reports take longer than all the rest.
-- * A caller that sends the current epoch already has the names of backends and instances, so the reply omits them. A
--   caller with the backends of its last publication omits these.
-- * What has not changed is neither read nor written. At a few calls a second nothing of this is in any cache, so each
--   step takes several times as long as in a loop.
-- * Lists are compact: names end in NUL, numbers are unsigned 32-bit, big-endian, in the order of the names. A hundred
--   of them as text, or in a field each, cost several times the exchange.
--
-- Invariants:
-- * All is read before anything is written: a key of a wrong type fails the whole call.
-- * The first write of a publication is one that Redis refuses when it is out of memory: that fails the whole call too.
-- * Totals are kept by difference. They are summed up anew when an instance joins, leaves or has other backends than
--   before, and when something does not fit together. All are whole numbers, so nothing drifts.
-- * What another program, or an instance with a defect, has written is bounded where it is read. It may make totals
--   wrong. It never fails the call, overflows 32 bits or outlives its own lease.

local own, instances, state, load = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local leaving, me, owner, number = ARGV[1] == 'withdraw', ARGV[2], ARGV[3], tonumber(ARGV[4])
local lease, unseen, backends, counts = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local knownEpoch, since, changes = ARGV[9], ARGV[10], ARGV[11]
local prefix = string.sub(own, 1, -1 - #me)

-- Version, number of members, shortest and longest lease, changes per second and when that was taken, when 'load' was
-- written (below zero: not all since then), when all keys but the instances' expire; times in ms.
local FIGURES = '>dddddddd'

-- Values: everything that another program may have written is read with these. 'whole' gives a whole number within its
-- bounds whatever stands there; 'decode' takes bytes of any length.

-- The largest whole number of a double, of 32 bits unsigned and signed, and an hour.
local MOST, MOST_SUM, MOST_UNSEEN, LONGEST_MS = 2 ^ 53 - 1, 2 ^ 32 - 1, 2 ^ 31 - 1, 3600000
-- A whole number from 0 to most, whatever was written there.
local function whole(text, most)
  local value = tonumber(text)
  return value and value >= 0 and math.min(math.floor(value), most) or 0
end
local function split(names)
  local list = {}
  for name in string.gmatch(names, '[^%z]+') do list[#list + 1] = name end
  return list
end
-- Values per call of unpack: Lua's stack is bounded.
local AT_ONCE = 2000
local function decode(bytes)
  local list, length = {}, math.floor(#bytes / 4)
  for from = 0, length - 1, AT_ONCE do
    local some = math.min(AT_ONCE, length - from)
    local part = {struct.unpack('>' .. string.rep('I4', some), bytes, from * 4 + 1)}
    if length <= AT_ONCE then
      part[some + 1] = nil
      return part
    end
    for i = 1, some do list[from + i] = part[i] end
  end
  return list
end
local function encode(list)
  local parts = {}
  for from = 0, #list - 1, AT_ONCE do
    local some = math.min(AT_ONCE, #list - from)
    parts[#parts + 1] = struct.pack('>' .. string.rep('I4', some), unpack(list, from + 1, from + some))
  end
  return table.concat(parts)
end
local function call(command, key, list)
  for i = 1, #list, AT_ONCE do
    redis.call(command, key, unpack(list, i, math.min(i + AT_ONCE - 1, #list)))
  end
end

-- Which instance holds the name, and what it has said.
local said = redis.call('HMGET', own, 'owner', 'number', 'lease', 'unseen')
-- An instance that has withdrawn leaves only a number.
local known = said[1] and said[3]
if known and said[1] ~= owner then return {'nameTaken'} end
local late = said[1] == owner and number <= (tonumber(said[2]) or 0)
local unseenBefore = known and whole(said[4], MOST_UNSEEN) or 0
-- Is the caller a member afterwards, and for how long?
local stays = late and known or not (late or leaving)
if late and known then lease = math.max(whole(said[3], LONGEST_MS), 1) end

-- The totals so far.
local kept = redis.call('HMGET', state, 'figures', 'epoch', 'unseen', 'totals')
local isWhole = kept[1] and #kept[1] == 64 and kept[2] and kept[3] and kept[4]
local epoch, unseenSum, totals = kept[2], whole(kept[3], MOST), kept[4]
local version, members, shortest, longest, pace, paced, viewed, ends
if isWhole then
  version, members, shortest, longest, pace, paced, viewed, ends = struct.unpack(FIGURES, kept[1])
  isWhole = version >= 0 and version < MOST and members >= 0 and shortest > 0 and longest < MOST
    and pace >= 0 and pace < MOST and paced >= 0 and paced < MOST and math.abs(viewed) < MOST
    and ends >= 0 and ends < MOST
  if not isWhole then version, shortest, viewed = nil, nil, nil end
end

-- An instance that sends only changes has to know what they are compared with.
local isSame, saidBackends, saidCounts, names = backends == SAME_BACKENDS, nil, nil, nil
if isSame then
  if late or not (known and isWhole and epoch == knownEpoch and said[2] == since) then return {'again'} end
else
  if known then saidBackends, saidCounts = unpack(redis.call('HMGET', own, 'backends', 'counts')) end
  names = isWhole and redis.call('HGET', state, 'backends')
  isWhole = isWhole and names
  -- An instance that knows the epoch has seen that it fits.
  if isWhole and epoch ~= knownEpoch then isWhole = #totals == 4 * #split(names) end
end
if late then
  unseen, backends, counts = unseenBefore, saidBackends or '', saidCounts or ''
elseif leaving then
  unseen, backends, counts = 0, '', ''
end

-- No instance is gone before the shortest lease is over, so the two that have been silent for longest show whether to
-- look: one of them may be the caller. A time in the future means that the clock went back.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nowText = string.format('%.0f', now)
local silent = redis.call('ZRANGE', instances, 0, 1, 'WITHSCORES')
local amListed = silent[1] == me or silent[3] == me or redis.call('ZSCORE', instances, me)
local oldest = silent[1] == me and silent[4] or silent[1] ~= me and silent[2] or now
local others, gone, ahead, ageMs = nil, {}, {}, now - oldest
local function isCrowded() return redis.call('ZCARD', instances) > MOST_INSTANCES end
local CROWDED = redis.error_reply('ERR more than ' .. MOST_INSTANCES .. ' instances share this upstream')
local function look()
  local beats = redis.call('ZRANGE', instances, 0, -1, 'WITHSCORES')
  others, ageMs = {}, 0
  for i = 1, #beats, 2 do
    local name, beat = beats[i], tonumber(beats[i + 1])
    if name ~= me then
      if now - beat >= (shortest or 0) and redis.call('EXISTS', prefix .. name) == 0 then
        gone[#gone + 1] = name
      else
        -- No lease would end before that time is there again.
        if beat > now then ahead[#ahead + 1] = name end
        ageMs = math.max(ageMs, math.min(now - beat, LONGEST_MS))
        others[#others + 1] = name
      end
    end
  end
end
if not isWhole or epoch ~= knownEpoch or ageMs >= shortest or ageMs < 0 then
  if isCrowded() then return CROWDED end
  look()
end

local anew = #gone > 0 or not isWhole
  or not late and (leaving or not (known and amListed and (isSame or backends == saidBackends)))
version = version or now
pace = isWhole and pace * math.exp(-math.max(now - paced, 0) / AVERAGED_MS) or 0

-- By difference: which totals change, and by how much.
local places, deltas, sums = {}, {}, {}
local function change(place, delta)
  local before = place and 4 * place <= #totals and struct.unpack('>I4', totals, 4 * place - 3) or MOST_SUM
  local sum = before + delta
  -- A sum that has reached its bound does not tell what it was a sum of.
  if before == MOST_SUM or sum < 0 or sum > MOST_SUM then anew = true end
  places[#places + 1], deltas[#deltas + 1], sums[#sums + 1] = place, delta, sum
end
if not anew then
  unseenSum = unseenSum + unseen - unseenBefore
  anew = unseenSum < unseen
  if not late then
    if isSame then
      for at = 1, #changes, 8 do change(struct.unpack('>I4i4', changes, at)) end
    elseif counts ~= saidCounts then
      local before, after, placeOf = decode(saidCounts or ''), decode(counts), {}
      for i, name in ipairs(split(names)) do placeOf[name] = i end
      for i, name in ipairs(split(backends)) do
        if after[i] ~= before[i] then change(placeOf[name], after[i] - (before[i] or 0)) end
      end
    end
    if anew then
      -- Something does not fit together.
    elseif #places <= MOST_TOLD then
      for i, place in ipairs(places) do
        local before, after = string.sub(totals, 1, 4 * place - 4), string.sub(totals, 4 * place + 1)
        totals = before .. struct.pack('>I4', sums[i]) .. after
      end
    else
      local list = decode(totals)
      for i, place in ipairs(places) do list[place] = sums[i] end
      totals = encode(list)
    end
  end
end

if anew then
  -- Over every instance that has a lease. All have the same backends, as a rule.
  if isSame then backends = redis.call('HGET', own, 'backends') or '' end
  unseenSum, names = unseen, backends
  shortest, longest, ends = math.huge, 0, 0
  if not others then
    if isCrowded() then return CROWDED end
    look()
  end
  local listed, all, list, placeOf = others, decode(counts), nil, nil
  others = {}
  for _, name in ipairs(listed) do
    local theirs = redis.call('HMGET', prefix .. name, 'unseen', 'backends', 'counts', 'lease')
    local theirNames, theirCounts = theirs[2], decode(theirs[3] or '')
    if not theirNames then
      gone[#gone + 1] = name
    else
      others[#others + 1] = name
      unseenSum = unseenSum + whole(theirs[1], MOST_UNSEEN)
      local theirLease = math.max(whole(theirs[4], LONGEST_MS), 1)
      shortest, longest = math.min(shortest, theirLease), math.max(longest, theirLease)
    end
    if theirNames == names then
      for i, count in ipairs(theirCounts) do all[i] = all[i] and all[i] + count end
    elseif theirNames then
      if not list then
        list, placeOf = split(names), {}
        for i, one in ipairs(list) do placeOf[one] = i end
      end
      for i, one in ipairs(split(theirNames)) do
        local place = placeOf[one]
        if not place then
          place = #list + 1
          list[place], placeOf[one] = one, place
        end
        all[place] = (all[place] or 0) + (theirCounts[i] or 0)
      end
    end
  end
  list = list or split(names)
  names = ''
  if #list > 0 then names = table.concat(list, '\0') .. '\0' end
  for place = 1, #list do all[place] = math.min(all[place] or 0, MOST_SUM) end
  for place = #all, #list + 1, -1 do all[place] = nil end
  totals = encode(all)
  members = #others
  if stays then members = members + 1 end
end
local isTelling = pace <= math.min(MOST_CHANGES, MOST_MESSAGES / members)

-- What people look at: right after a second at most, whatever became of it.
local isChanged, many, last = anew or #places > 0, viewed and viewed < 0, math.abs(viewed or 0)
local isDue = anew or now - last >= VIEW_MS or now < last

local isToldNow = not anew and isChanged and isTelling and #places <= MOST_TOLD
local shown = (isDue or isToldNow) and redis.call('ZCARD', load)

if anew or not late then
  -- From here on only writes. An instance that leaves frees memory, so it may do so even when there is none.
  if amListed and leaving and not late then gone[#gone + 1] = me end
  if leaving then call('ZREM', instances, gone) end
  local heard = {}
  if not late and not leaving then heard = {nowText, me} end
  for _, name in ipairs(ahead) do
    heard[#heard + 1] = nowText
    heard[#heard + 1] = name
  end
  call('ZADD', instances, heard)
  if not leaving then call('ZREM', instances, gone) end
  for _, name in ipairs(ahead) do redis.call('PEXPIRE', prefix .. name, ARGV[5]) end
  if not late then
    if leaving then
      redis.call('DEL', own)
      redis.call('HSET', own, 'owner', owner, 'number', ARGV[4])
    elseif not known or not isSame and backends ~= saidBackends then
      redis.call('HSET', own, 'owner', owner, 'number', ARGV[4], 'unseen', ARGV[6], 'lease', ARGV[5],
        'backends', backends, 'counts', counts)
    elseif ARGV[5] ~= said[3] then
      redis.call('HSET', own, 'number', ARGV[4], 'unseen', ARGV[6], 'lease', ARGV[5], 'counts', counts)
    elseif anew or #places > 0 or unseen ~= unseenBefore then
      -- When sums are made anew, changes have not been looked for.
      redis.call('HSET', own, 'number', ARGV[4], 'unseen', ARGV[6], 'counts', counts)
    else
      redis.call('HSET', own, 'number', ARGV[4])
    end
    redis.call('PEXPIRE', own, ARGV[5])
  end

  if isChanged then version = version + 1 end
  if not anew and isChanged then
    pace, paced = pace + 1000 / AVERAGED_MS, now
    if isToldNow then
      local list, told, scores = split(names or redis.call('HGET', state, 'backends')), {}, {}
      for i, place in ipairs(places) do
        told[list[place]] = deltas[i]
        scores[#scores + 1] = string.format('%.0f', sums[i])
        scores[#scores + 1] = list[place]
      end
      call('ZADD', load, scores)
      -- An instance that may not use the channel still shares counts.
      local report = {instance = me, version = string.format('%.0f', version), deltas = told}
      redis.pcall('PUBLISH', string.sub(load, 1, -5) .. 'changes', cjson.encode(report))
    else
      many = true
    end
  end

  if isDue and (anew or many or shown ~= #totals / 4) then
    redis.call('DEL', load)
    local scores, all = {}, decode(totals)
    for i, name in ipairs(split(names or redis.call('HGET', state, 'backends'))) do
      scores[#scores + 1] = string.format('%.0f', all[i])
      scores[#scores + 1] = name
    end
    call('ZADD', load, scores)
  end
  if isDue then viewed = now elseif many then viewed = -last end

  -- Twice the longest lease, so that these are not renewed each time.
  local shorter, longer = shortest, longest
  if stays then shorter, longer = math.min(lease, shortest), math.max(lease, longest) end
  local isEnding = anew or shorter < shortest or longer > longest or ends - now < longer or ends - now > 2 * longer
  if isEnding then shortest, longest, ends = math.min(shorter, longer), longer, now + 2 * longer end
  if isChanged or isDue or isEnding or many then
    if anew then paced = now end
    local figures = struct.pack(FIGURES, version, members, shortest, longest, pace, paced, viewed, ends)
    if anew then
      epoch = owner .. '/' .. ARGV[4] .. '/' .. string.format('%.0f', version)
      redis.call('HSET', state, 'epoch', epoch, 'backends', names)
    end
    redis.call('HSET', state, 'figures', figures, 'unseen', unseenSum, 'totals', totals)
  elseif unseen ~= unseenBefore then
    redis.call('HSET', state, 'unseen', unseenSum)
  end
  if isEnding then
    for _, key in ipairs({instances, state, load}) do redis.call('PEXPIRE', key, string.format('%.0f', 2 * longest)) end
  end
end

local reply = {'totals', version, known and 0 or 1, unseenSum - unseen, ageMs, isTelling and 1 or 0, epoch, totals}
if others then
  reply[9] = names or redis.call('HGET', state, 'backends')
  reply[10] = others
end
return reply
