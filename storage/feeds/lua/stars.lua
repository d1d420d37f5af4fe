-- Fragment for the feeds of users who follow stars: the list of these stars, and the pull of what they announced.
-- storage/feeds/star_logs.py describes both. It needs feeds/log, feeds/group and feeds/place.

local BATCH = 4000 -- unpack() is limited by the size of the Lua stack, about 8,000 values

local function write_stars(feed, h, pulled, stars, ttl)
  redis.call('SET', stars_key(feed), struct.pack('>I8', pulled) .. stars, 'EX', ttl)
  if not has(h.flags, STARS) then h.flags = h.flags + STARS end
end

-- Create the log of a star's announcements if there is none. A log that was lost had announcements that are not known
-- any more; feeds that have not pulled up to this moment are built again. Returns the header of the log.
local function open_star(key, window)
  local heads, star = heads_key(key), string.sub(key, -8)
  local h = head(key)
  if not h then
    local floor = next_offset(key)
    h = { flags = COMPLETE, edits = 0, top = floor, epoch = floor, floor = floor, edited = 0 }
    store(key, h, '', window)
  elseif redis.call('HEXISTS', heads, star) == 1 then
    return h
  end
  -- If the newest of all is missing, the heads were lost. A feed must then look for the head of each of its stars.
  local newest = redis.call('HGET', heads, '*')
  newest = newest and struct.unpack('>I8', newest) or next_offset(key)
  redis.call('HSET', heads, star, struct.pack('>I8', h.top), '*', struct.pack('>I8', math.max(newest, h.top)))
  return h
end

-- Put a star's announcements of after `pulled` into a feed, under their own offsets. Returns the number of photos, or nil
-- if the announcements are not known.
local function pull_star(feed, h, window, star, pulled)
  local s, entries = load(star_key(feed, star))
  if not s or s.floor > pulled then return nil end
  local photos = 0
  for index = 0, s.count - 1 do
    local offset = struct.unpack('>I8', entries, index * ENTRY + 1)
    if offset > pulled then
      local upper, lower, removed = id_at(entries, index)
      local e = new_entry(offset, struct.pack('>I4I4', upper, lower), removed)
      if place(feed, h, window, e, removed and 'remove' or 'pull') and not removed then photos = photos + 1 end
    end
  end
  return photos
end

-- Do the same for all stars in a list; return the offset up to which all is pulled, or nil if something is not known,
-- and the number of photos.
local function pull_all(feed, h, window, list)
  local pulled, photos = struct.unpack('>I8', list), 0
  local newest = redis.call('HGET', heads_key(feed), '*')
  if not newest then return nil end
  newest = struct.unpack('>I8', newest)
  if newest <= pulled then return pulled, 0 end
  local stars = {}
  for at = 9, #list, 8 do stars[#stars + 1] = string.sub(list, at, at + 7) end
  for first = 1, #stars, BATCH do
    local last = math.min(first + BATCH - 1, #stars)
    local heads = redis.call('HMGET', heads_key(feed), unpack(stars, first, last))
    for index, top in ipairs(heads) do
      if not top then return nil end
      if struct.unpack('>I8', top) > pulled then
        local found = pull_star(feed, h, window, stars[first + index - 1], pulled)
        if not found then return nil end
        photos = photos + found
      end
    end
  end
  return newest, photos
end

-- Put into a feed what the stars that its owner follows have announced since the last pull. `h` is its decoded header,
-- which is changed. Returns false if something is not known any more; the feed is deleted then, to be built again.
local function pull(feed, h, window)
  if not has(h.flags, STARS) then return true end
  local list = redis.call('GET', stars_key(feed))
  local pulled, photos
  if list then pulled, photos = pull_all(feed, h, window, list) end
  if not pulled then
    redis.call('DEL', feed, stars_key(feed))
    return false
  end
  if pulled > struct.unpack('>I8', list) then
    redis.call('SETRANGE', stars_key(feed), 0, struct.pack('>I8', pulled))
  end
  if photos > 0 then
    redis.call('INCR', pulls_key(feed))
    redis.call('INCRBY', pulled_key(feed), photos)
  end
  return true
end

-- Let a feed and its list expire after the same time.
local function expire(feed, h, ttl)
  redis.call('EXPIRE', feed, ttl)
  if has(h.flags, STARS) then redis.call('EXPIRE', stars_key(feed), ttl) end
end
