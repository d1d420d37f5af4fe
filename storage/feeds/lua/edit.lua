-- Change one log without publishing: create it, build it, merge an author's ids, drop ids.
--
-- KEYS: the log. ARGV: action, window, and the action's arguments.
--   begin  window, time to live in s, age in µs from which an unfinished build is replaced    -> epoch, mine, edits
--   open   window, time to live in s                                                          -> epoch, top
--   fill   window, epoch, edits, complete, ids ascending   -> 1 done, 2 edited meanwhile (and edits), 0 lost
--   merge  window, ids ascending                                                              -> 1, or 0 no log
--   drop   window, ids ascending                                                              -> 1, or 0 no log

local key, action, window = KEYS[1], ARGV[1], tonumber(ARGV[2])

local function create(flags, epoch, ttl)
  store(key, { flags = flags, edits = 0, top = epoch, epoch = epoch, floor = epoch, edited = 0 }, '', window, 'EX', ttl)
end

-- Return the union of a body and of ids that were never published (offset 0); present entries keep their offsets.
local function union(body, ids)
  local out, n, i, j = {}, 0, 0, 0
  local have, given = #body / ENTRY, #ids / 8
  while i < have or j < given do
    local u, l, gu, gl
    if i < have then u, l = id_at(body, i) end
    if j < given then gu, gl = struct.unpack('>I4I4', ids, j * 8 + 1) end
    n = n + 1
    if not gu or (u and (u < gu or (u == gu and l <= gl))) then
      out[n] = string.sub(body, i * ENTRY + 1, (i + 1) * ENTRY)
      i = i + 1
      if gu and u == gu and l == gl then j = j + 1 end
    else
      out[n] = NOTHING .. string.sub(ids, j * 8 + 1, (j + 1) * 8)
      j = j + 1
    end
  end
  return table.concat(out)
end

-- Return a body without the entries of the given ids.
local function without(body, ids)
  local gone, out = {}, {}
  for j = 1, #ids, 8 do gone[string.sub(ids, j, j + 7)] = true end
  for i = 0, #body / ENTRY - 1 do
    local u, l = id_at(body, i)
    if not gone[struct.pack('>I4I4', u, l)] then
      out[#out + 1] = string.sub(body, i * ENTRY + 1, (i + 1) * ENTRY)
    end
  end
  return table.concat(out)
end

-- Record an edit. A builder then reads the database again, and an insertion verifies the follow, because both may have
-- read it before the edit.
local function record_edit(h)
  h.edits, h.edited = (h.edits + 1) % 65536, math.floor(now_us() / 1000000)
end

if action == 'begin' or action == 'open' then
  local now, h = now_us(), head(key)
  if h then
    local building = has(h.flags, BUILDING)
    if action == 'open' then
      redis.call('EXPIRE', key, ARGV[3])
      return { h.epoch, h.top }
    end
    if not building or now - h.epoch < tonumber(ARGV[4]) then return { h.epoch, 0, h.edits } end
    -- The new epoch must differ from the old one, and its offsets must be greater, even if the clock stepped back.
    now = math.max(now, h.top + 1, h.epoch + 1)
  end
  create(action == 'open' and COMPLETE or BUILDING, now, ARGV[3])
  if action == 'open' then return { now, now } end
  return { now, 1, 0 }
end

local h, body = load(key)
if not h then return { 0 } end
local building = has(h.flags, BUILDING)

if action == 'fill' then
  if not building or h.epoch ~= tonumber(ARGV[3]) then return { 0 } end
  if h.edits ~= tonumber(ARGV[4]) then return { 2, h.edits } end
  local complete, ids = ARGV[5] == '1', ARGV[6]
  body = union(body, ids)
  h.flags = complete and COMPLETE or 0
  if not complete then
    -- Entries inserted during the build that lie below the list from the database are not contiguous with it.
    local upper, lower = struct.unpack('>I4I4', ids)
    local below = bisect(#body / ENTRY, function(index) return id_at(body, index) end, upper, lower)
    forget_oldest(h, string.sub(body, 1, below * ENTRY))
    body = string.sub(body, below * ENTRY + 1)
  end
elseif building then
  -- The entries come with `fill`, from a database read that includes this change.
  record_edit(h)
  write_header(key, h)
  return { 1 }
elseif action == 'merge' then
  local ids = ARGV[3]
  record_edit(h)
  if not has(h.flags, COMPLETE) then
    -- The log covers nothing below its lowest id; PostgreSQL continues there. Older ids would leave a gap.
    local given, skip = #ids / 8, 0
    if h.count == 0 then return { 1 } end
    local u, l = id_at(body, 0)
    while skip < given do
      local gu, gl = struct.unpack('>I4I4', ids, skip * 8 + 1)
      if gu > u or (gu == u and gl >= l) then break end
      skip = skip + 1
    end
    ids = string.sub(ids, skip * 8 + 1)
  end
  body = union(body, ids)
elseif action == 'drop' then
  record_edit(h)
  body = without(body, ARGV[3])
end
store(key, h, body, window, 'KEEPTTL')
return { 1 }
