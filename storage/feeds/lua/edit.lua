-- Change one log without publishing: create it, build it, merge an author's ids, drop ids.
--
-- KEYS: the log. ARGV: action, window, and the action's arguments.
--   begin  window, time to live in s, age in s above which an unfinished build is replaced    -> epoch, mine, edits
--   open   window, time to live in s                                                          -> epoch, top
--   fill   window, epoch, edits, complete, ids ascending, ids of the stars that the owner follows, their window, time
--          to live in s                                    -> 1 done, 2 edited meanwhile (and edits), 0 lost
--   merge  window, ids ascending, whether removed ones return                                 -> 1, or 0 no log
--   drop   window, ids ascending                                                              -> 1, or 0 no log

local key, action, window = KEYS[1], ARGV[1], tonumber(ARGV[2])
local now_s = math.floor(now_us() / 1000000)

local function create(flags, epoch, ttl)
  local h = { flags = flags, edits = 0, top = epoch, epoch = epoch, floor = epoch, edited = now_s }
  store(key, h, '', window, 'EX', ttl)
end

-- Return the union of a body and of ids that were never published (offset 0); present entries keep their offsets, and
-- their marks unless `restore` is set.
local function union(body, ids, restore)
  local out, n, i, j = {}, 0, 0, 0
  local have, given = #body / ENTRY, #ids / 8
  while i < have or j < given do
    local u, l, gu, gl, removed
    if i < have then u, l, removed = id_at(body, i) end
    if j < given then gu, gl = struct.unpack('>I4I4', ids, j * 8 + 1) end
    n = n + 1
    if not gu or (u and (u < gu or (u == gu and l <= gl))) then
      out[n] = string.sub(body, i * ENTRY + 1, (i + 1) * ENTRY)
      i = i + 1
      if gu and u == gu and l == gl then
        if removed and restore then out[n] = NOTHING .. string.sub(ids, j * 8 + 1, (j + 1) * 8) end
        j = j + 1
      end
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

if action == 'begin' or action == 'open' then
  local lowest, h = 0, head(key)
  if h then
    if action == 'open' then
      redis.call('EXPIRE', key, ARGV[3])
      return { h.epoch, h.top }
    end
    if not has(h.flags, BUILDING) then return { h.epoch, 0, h.edits } end
    -- The age is not taken from the epoch, which may be ahead of a clock that stepped back.
    bound_edited(key, h, now_s)
    if now_s - h.edited <= tonumber(ARGV[4]) then return { h.epoch, 0, h.edits } end
    -- The new epoch must differ from the old one, and its offsets must be greater, even if the clock stepped back.
    lowest = math.max(h.top, h.epoch) + 1
  end
  local epoch = next_offset(key, lowest)
  create(action == 'open' and COMPLETE or BUILDING, epoch, ARGV[3])
  if action == 'open' then return { epoch, epoch } end
  return { epoch, 1, 0 }
end

local h, body = load(key)
if not h then return { 0 } end
local building = has(h.flags, BUILDING)

if action == 'fill' then
  if not building or h.epoch ~= tonumber(ARGV[3]) then return { 0 } end
  if h.edits ~= tonumber(ARGV[4]) then return { 2, h.edits } end
  local complete, ids = ARGV[5] == '1', ARGV[6]
  body = union(body, ids)
  -- The list may be younger than a list of followers that an insertion under way has read.
  h.flags, h.edited = complete and COMPLETE or 0, now_s
  if #ARGV[7] > 0 then
    -- What the stars have announced since the epoch has to be recoverable, so it is pulled although the list may have it.
    write_stars(key, h, h.epoch, ARGV[7], ARGV[9])
    for at = 1, #ARGV[7], 8 do open_star(star_key(key, string.sub(ARGV[7], at, at + 7)), tonumber(ARGV[8])) end
  end
  if not complete then
    -- Entries inserted during the build that lie below the list from the database are not contiguous with it.
    local upper, lower = struct.unpack('>I4I4', ids)
    local below = bisect(#body / ENTRY, function(index) return id_at(body, index) end, upper, lower)
    forget_oldest(h, string.sub(body, 1, below * ENTRY))
    body = string.sub(body, below * ENTRY + 1)
  end
elseif action == 'merge' and building then
  -- The entries come with `fill`, from a database read that includes this change.
  record_edit(h, now_s)
  write_header(key, h)
  return { 1 }
elseif action == 'merge' then
  local ids = ARGV[3]
  record_edit(h, now_s)
  if not has(h.flags, COMPLETE) then
    -- The log covers nothing below its lowest id; PostgreSQL continues there. Older ids would leave a gap.
    local given, skip = #ids / 8, 0
    local u, l = id_at(body, 0)
    while skip < given do
      local gu, gl = struct.unpack('>I4I4', ids, skip * 8 + 1)
      if gu > u or (gu == u and gl >= l) then break end
      skip = skip + 1
    end
    ids = string.sub(ids, skip * 8 + 1)
  end
  body = union(body, ids, ARGV[4] == '1')
elseif action == 'drop' then
  record_edit(h, now_s)
  -- Also during a build: `fill` keeps the entries that were inserted meanwhile, and would keep these.
  body = without(body, ARGV[3])
  if body == '' and not building and not has(h.flags, COMPLETE) then
    -- The lowest entry is the place at which the database continues. Without it the next photo that is inserted late
    -- would take its place, and the photos between it and the newest would be in no page.
    redis.call('DEL', key)
    return { 1 }
  end
end
store(key, h, body, window, 'KEEPTTL')
return { 1 }
