-- The window log, common part; storage/feeds/log_format.py describes the bytes and storage/feeds/window_log.py the rules.
-- Ids are 63 bits, more than a Lua number holds: they are compared as two halves, never as one number,
-- and never as strings, whose order depends on the locale. Offsets and epochs stay below 2^53.
-- Short reads and writes are what is quick here: a whole log costs some twenty times as much as a header.

local STAGED, HEADER, ENTRY = 8, 48, 16 -- staging slots; bytes
local AT_HEADER = STAGED * ENTRY
local AT_BODY = AT_HEADER + HEADER
local FORMAT = '>I2I2I2I2I8c8I8I8I2I2I4'
local NEAR = 32 -- entries; beyond so many it is cheaper to look for an id, or to write the log anew
local BUILDING, COMPLETE = 1, 2
local REMOVED = 2147483648 -- the top bit of an id's upper half
local NOTHING = string.rep('\0', 8)
local NONE_STAGED = string.rep('\0', AT_HEADER)

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function has(flags, flag)
  return math.floor(flags / flag) % 2 == 1
end

local function head(key)
  local s = redis.call('GETRANGE', key, AT_HEADER, AT_BODY - 1)
  if s == '' then return nil end
  local h = {}
  h.flags, h.edits, h.count, h.staged, h.top, h.last, h.epoch, h.floor, h.start, h.slots, h.edited =
    struct.unpack(FORMAT, s)
  return h
end

local function header_bytes(h)
  return struct.pack(
    FORMAT, h.flags, h.edits, h.count, h.staged, h.top, h.last, h.epoch, h.floor, h.start, h.slots, h.edited)
end

local function write_header(key, h)
  redis.call('SETRANGE', key, AT_HEADER, header_bytes(h))
end

-- The id in entry `index` (from 0) of some entries, as two halves, and whether the entry is marked removed.
local function id_at(entries, index)
  local upper, lower = struct.unpack('>I4I4', entries, index * ENTRY + 9)
  if upper >= REMOVED then return upper - REMOVED, lower, true end
  return upper, lower, false
end

-- Where entry `index` (from 0, by id) of a log stands.
local function position(h, index)
  local body = h.count - h.staged
  if index >= body then return (index - body) * ENTRY end
  return AT_BODY + (h.start + index) % h.slots * ENTRY
end

-- How many of the entries from one index up to, and without, another stand in one piece.
local function run_of(h, from, to)
  local body = h.count - h.staged
  if from >= body then return to - from end
  return math.min(to - from, body - from, h.slots - (h.start + from) % h.slots)
end

-- The entries from one index up to, and without, another, in at most three pieces.
local function entries_of(key, h, from, to)
  local parts = {}
  while from < to do
    local at, run = position(h, from), run_of(h, from, to)
    parts[#parts + 1] = redis.call('GETRANGE', key, at, at + run * ENTRY - 1)
    from = from + run
  end
  return #parts == 1 and parts[1] or table.concat(parts)
end

-- Put entries in the places from one index on.
local function write_entries(key, h, from, entries)
  local to, done = from + #entries / ENTRY, 0
  while from < to do
    local run = run_of(h, from, to)
    redis.call('SETRANGE', key, position(h, from), string.sub(entries, done + 1, done + run * ENTRY))
    from, done = from + run, done + run * ENTRY
  end
end

-- The first of `count` entries whose id is not below the given one, and whether it is that id;
-- `id_of` gives the halves of the id at an index.
local function bisect(count, id_of, upper, lower)
  local low, high, there = 0, count, false
  while low < high do
    local middle = math.floor((low + high) / 2)
    local u, l = id_of(middle)
    if u < upper or (u == upper and l < lower) then
      low = middle + 1
    else
      high, there = middle, u == upper and l == lower
    end
  end
  return low, there
end

-- The same in a log, without reading all of it: what is looked for is nearly always among the newest.
local function search(key, h, upper, lower)
  local recent = math.max(h.count - NEAR, 0)
  local entries = entries_of(key, h, recent, h.count)
  local index, there = bisect(h.count - recent, function(i) return id_at(entries, i) end, upper, lower)
  if index > 0 or there or recent == 0 then return recent + index, there end
  return bisect(recent, function(i)
    local at = position(h, i)
    return id_at(NOTHING .. redis.call('GETRANGE', key, at + 8, at + 15), 0)
  end, upper, lower)
end

-- The oldest entries of a log go: it no longer reaches the beginning, nor can they be recovered.
local function forget_oldest(h, entries)
  for index = 0, #entries / ENTRY - 1 do
    h.floor = math.max(h.floor, (struct.unpack('>I8', entries, index * ENTRY + 1)))
  end
  if #entries > 0 and has(h.flags, COMPLETE) then h.flags = h.flags - COMPLETE end
end

-- Write a whole log, trimmed to its window. The body gets slots doubled from 8 up to the window, since SET allocates
-- exactly, while letting SETRANGE grow the string would double its allocation.
local function store(key, h, entries, window, ...)
  local spare = math.max(#entries / ENTRY - window, 0)
  forget_oldest(h, string.sub(entries, 1, spare * ENTRY))
  if spare > 0 then entries = string.sub(entries, spare * ENTRY + 1) end
  h.count, h.staged, h.start, h.slots, h.last = #entries / ENTRY, 0, 0, 8, NOTHING
  while h.slots < h.count do h.slots = h.slots * 2 end
  h.slots = math.min(h.slots, window)
  if h.count > 0 then
    local upper, lower = id_at(entries, h.count - 1)
    h.last = struct.pack('>I4I4', upper, lower)
  end
  local free = string.rep('\0', (h.slots - h.count) * ENTRY)
  redis.call('SET', key, NONE_STAGED .. header_bytes(h) .. entries .. free, ...)
end

-- A log's header and all its entries.
local function load(key)
  local h = head(key)
  if not h then return nil end
  return h, entries_of(key, h, 0, h.count)
end
