/**
 * The part of the exchange's script that reads and writes single values: numbers, and the compact lists.
 *
 * Place: the beginning of `exchange-script.ts`. Everything that was written by somebody else is read with these.
 * Invariants: `whole` gives a whole number within its bounds whatever stands there; `decode` takes bytes of any length.
 */

export const READING_VALUES = `
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
-- At most so many at once: Lua's stack is bounded.
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
`.trim();
