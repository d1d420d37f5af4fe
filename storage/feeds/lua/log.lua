-- Fragment with the functions that all window log scripts share. storage/feeds/log_format.py describes the bytes,
-- storage/feeds/window_log.py the rules.
--
-- Ids have 63 bits, more than a Lua number holds exactly. They are compared as two halves of 32 bits, never as one
-- number, and never as strings, whose order depends on the locale. Offsets and epochs stay below 2^53.
--
-- Speed comes from short reads and writes: a whole log costs about twenty times as much as its header. `h` is a decoded
-- header throughout; indexes count entries by ascending id, from 0.

local STAGED, HEADER, ENTRY = 8, 48, 16 -- staging slots; bytes
local AT_HEADER = STAGED * ENTRY
local AT_BODY = AT_HEADER + HEADER
local FORMAT = '>I2I2I2I2I8c8I8I8I2I2I4'
local NEAR = 32 -- entries from the newest end within which an id is searched, or inserted, without the whole log
local BUILDING, COMPLETE, STARS = 1, 2, 4
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

-- Replace a time of the last edit that is in the future: the clock has stepped back since. Bounded by the present
-- second, the edit counts as recent for as long as any other, and not until the clock has caught up.
local function bound_edited(key, h, now_s)
  if h.edited <= now_s then return end
  h.edited = now_s
  write_header(key, h)
end

-- Record an edit. A builder then reads the database again, and an insertion verifies the follow, because both may have
-- read it before the edit.
local function record_edit(h, now_s)
  h.edits = (h.edits + 1) % 65536
  -- During a build `edited` is the time at which it began; an edit must not prolong a build that no process finishes.
  if not has(h.flags, BUILDING) then h.edited = now_s end
end

-- Return the id of entry `index` in the given bytes, as two halves, and whether the entry is marked as removed.
local function id_at(entries, index)
  local upper, lower = struct.unpack('>I4I4', entries, index * ENTRY + 9)
  if upper >= REMOVED then return upper - REMOVED, lower, true end
  return upper, lower, false
end

-- Return the byte position of entry `index` of a log: in the ring, or in the staging slots, which hold the greatest ids.
local function position(h, index)
  local body = h.count - h.staged
  if index >= body then return (index - body) * ENTRY end
  return AT_BODY + (h.start + index) % h.slots * ENTRY
end

-- Return the number of entries from index `from`, up to and without `to`, that are adjacent in the string.
local function run_of(h, from, to)
  local body = h.count - h.staged
  if from >= body then return to - from end
  return math.min(to - from, body - from, h.slots - (h.start + from) % h.slots)
end

-- Read the entries from index `from`, up to and without `to`: at most three reads, since the ring may wrap around.
local function entries_of(key, h, from, to)
  local parts = {}
  while from < to do
    local at, run = position(h, from), run_of(h, from, to)
    parts[#parts + 1] = redis.call('GETRANGE', key, at, at + run * ENTRY - 1)
    from = from + run
  end
  return #parts == 1 and parts[1] or table.concat(parts)
end

-- Overwrite the entries from index `from` on.
local function write_entries(key, h, from, entries)
  local to, done = from + #entries / ENTRY, 0
  while from < to do
    local run = run_of(h, from, to)
    redis.call('SETRANGE', key, position(h, from), string.sub(entries, done + 1, done + run * ENTRY))
    from, done = from + run, done + run * ENTRY
  end
end

-- Return the first index of `count` entries whose id is not below the given one, and whether it is that id. `id_of`
-- returns the halves of the id at an index.
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

-- The same for a log, without reading all of it: the id is nearly always among the newest.
local function search(key, h, upper, lower)
  local recent = math.max(h.count - NEAR, 0)
  local entries = entries_of(key, h, recent, h.count)
  local index, there = bisect(h.count - recent, function(i) return id_at(entries, i) end, upper, lower)
  if index > 0 or there or recent == 0 then return recent + index, there end
  -- Older ids: a binary search with one read of 8 bytes per step, instead of one read of up to 8 KB.
  return bisect(recent, function(i)
    local at = position(h, i)
    return id_at(NOTHING .. redis.call('GETRANGE', key, at + 8, at + 15), 0)
  end, upper, lower)
end

-- Account for trimmed entries: the log is no longer complete, and recovery from below their offsets is impossible.
local function forget_oldest(h, entries)
  for index = 0, #entries / ENTRY - 1 do
    h.floor = math.max(h.floor, (struct.unpack('>I8', entries, index * ENTRY + 1)))
  end
  if #entries > 0 and has(h.flags, COMPLETE) then h.flags = h.flags - COMPLETE end
end

-- Write a whole log, trimmed to its window. The ring gets 8 slots, doubled up to the window: SET allocates the exact
-- size, whereas a SETRANGE past the end would double the allocation.
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

-- Delete the entries below an id, but not the newest of all: its id is the place at which the database continues.
local function trim_below(key, h, window, upper, lower)
  local first = math.min(search(key, h, upper, lower), h.count - 1)
  if first <= 0 then return end
  local entries = entries_of(key, h, 0, h.count)
  forget_oldest(h, string.sub(entries, 1, first * ENTRY))
  store(key, h, string.sub(entries, first * ENTRY + 1), window, 'KEEPTTL')
end

-- Return a log's header and all its entries; nil if there is none.
local function load(key)
  local h = head(key)
  if not h then return nil end
  return h, entries_of(key, h, 0, h.count)
end
