-- The window log, common part; storage/log_format.py describes the bytes and storage/window_log.py the rules.
-- Ids are 63 bits, more than a Lua number holds: they are compared as two halves, never as one number,
-- and never as strings, whose order depends on the locale. Offsets and epochs stay below 2^53.

local STAGED, HEADER, ENTRY = 8, 40, 16 -- staging slots; bytes
local AT_HEADER = STAGED * ENTRY
local AT_BODY = AT_HEADER + HEADER
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

local function header_of(s, at)
  local flags, edits, count, staged, top, last, epoch, floor = struct.unpack('>I2I2I2I2I8c8I8I8', s, at)
  return {
    flags = flags, edits = edits, count = count, staged = staged, top = top, last = last, epoch = epoch, floor = floor,
  }
end

local function write_header(key, h)
  redis.call('SETRANGE', key, AT_HEADER, struct.pack('>I2I2I2I2I8c8I8I8',
    h.flags, h.edits, h.count, h.staged, h.top, h.last, h.epoch, h.floor))
end

-- The id in entry `index` (from 0) of a body, as two halves, and whether the entry is marked removed.
local function id_at(body, index)
  local upper, lower = struct.unpack('>I4I4', body, index * ENTRY + 9)
  if upper >= REMOVED then return upper - REMOVED, lower, true end
  return upper, lower, false
end

-- The first entry (from 0) whose id is not below the given one, and whether it is that id.
local function find(body, count, upper, lower)
  local low, high = 0, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    local u, l = id_at(body, middle)
    if u < upper or (u == upper and l < lower) then low = middle + 1 else high = middle end
  end
  if low == count then return low, false end
  local u, l = id_at(body, low)
  return low, u == upper and l == lower
end

-- The greatest offset among the first `count` entries of a body: what is dropped raises the floor to it.
local function highest_offset(body, count)
  local highest = 0
  for index = 0, count - 1 do
    local offset = struct.unpack('>I8', body, index * ENTRY + 1)
    if offset > highest then highest = offset end
  end
  return highest
end

-- Drop the oldest `count` entries: the log no longer reaches the beginning, nor can that part be recovered.
local function drop_oldest(h, body, count)
  if count <= 0 then return body end
  h.floor = math.max(h.floor, highest_offset(body, count))
  if has(h.flags, COMPLETE) then h.flags = h.flags - COMPLETE end
  return string.sub(body, count * ENTRY + 1)
end

-- Write a whole log. SET allocates exactly; letting SETRANGE grow the string would double its allocation.
local function store(key, h, body, window, ...)
  local count = #body / ENTRY
  if count > window then
    body = drop_oldest(h, body, count - window)
    count = window
  end
  h.count, h.staged, h.last = count, 0, NOTHING
  if count > 0 then
    local upper, lower = id_at(body, count - 1)
    h.last = struct.pack('>I4I4', upper, lower)
  end
  local header = struct.pack('>I2I2I2I2I8c8I8I8', h.flags, h.edits, count, 0, h.top, h.last, h.epoch, h.floor)
  redis.call('SET', key, NONE_STAGED .. header .. body, ...)
end

-- A log's header and its entries, the staged ones at their place, which is the end.
local function load(key)
  local s = redis.call('GET', key)
  if not s then return nil end
  local h = header_of(s, AT_HEADER + 1)
  return h, string.sub(s, AT_BODY + 1) .. string.sub(s, 1, h.staged * ENTRY)
end
