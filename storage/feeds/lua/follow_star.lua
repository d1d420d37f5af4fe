-- Add a star to the lists of users who follow it, or remove it from them, and publish that to their live connections.
--
-- The script needs deliver(key, destination, users, offset, body) of the live layer; see feeds/insert.
--
-- KEYS: the key for deliver(), then the users' feeds, all in one slot group.
-- ARGV: action (add, remove), the star (8 bytes), window, time to live in s, destination, body, ids of the users (8
-- bytes each). Returns the number of feeds changed.

local action, star, window, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local destination, body, users = ARGV[5], ARGV[6], ARGV[7]
local now_s = math.floor(now_us() / 1000000)

-- Return the byte position of the star in a list, or nil.
local function find(list)
  for at = 9, #list, 8 do
    if string.sub(list, at, at + 7) == star then return at end
  end
end

-- Return whether the list has changed. It has one offset for all stars, so everything is pulled first: what the star has
-- announced so far is merged from the database, as it is now.
local function add(feed, h)
  if has(h.flags, STARS) and not pull(feed, h, window) then return false end
  local list = has(h.flags, STARS) and redis.call('GET', stars_key(feed))
  if list and find(list) then return false end
  local pulled = list and struct.unpack('>I8', list) or last_offset(feed)
  write_stars(feed, h, pulled, (list and string.sub(list, 9) or '') .. star, ttl)
  return true
end

local function remove(feed, h)
  -- What was announced so far stays in the feed. After an unfollow the caller drops it.
  if not has(h.flags, STARS) or not pull(feed, h, window) then return false end
  local list = redis.call('GET', stars_key(feed))
  local at = find(list)
  if not at then return false end
  local stars = string.sub(list, 9, at - 1) .. string.sub(list, at + 8)
  if stars ~= '' then
    write_stars(feed, h, struct.unpack('>I8', list), stars, ttl)
  else
    redis.call('DEL', stars_key(feed))
    h.flags = h.flags - STARS
  end
  return true
end

local changed, recipients = 0, {}
for index = 2, #KEYS do
  local feed = KEYS[index]
  local h = head(feed)
  if h and has(h.flags, BUILDING) then
    -- The build reads the database again.
    record_edit(h, now_s)
    write_header(feed, h)
  elseif h and (action == 'add' and add or remove)(feed, h) then
    write_header(feed, h)
    changed = changed + 1
  end
  recipients[#recipients + 1] = string.sub(users, index * 8 - 15, index * 8 - 8)
end
deliver(KEYS[1], destination, recipients, 0, body)
return changed
