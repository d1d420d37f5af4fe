-- Change the log of a star's announcements in one slot group, and publish the change to the live processes.
--
-- The script needs broadcast(channel, star, offset, body) of the live layer; channel and body are opaque here.
--
-- KEYS: the log. ARGV: action, window, and the action's arguments.
--   open                                      create the log of a new star  -> 1
--   insert    id, channel, body               -> 1, or 0 if the id is below the window, and nothing was done
--   restore   id, channel, body               -> the same; also for an id whose removal was announced
--   remove    id, channel, body               -> the same
--   close                                     delete the log  -> 1

local key, action, window = KEYS[1], ARGV[1], tonumber(ARGV[2])
local star = string.sub(key, -8)

if action == 'open' then
  open_star(key, window)
  return 1
elseif action == 'close' then
  redis.call('DEL', key)
  redis.call('HDEL', heads_key(key), star)
  return 1
end

local id, channel, body = ARGV[3], ARGV[4], ARGV[5]
local h = open_star(key, window)
local upper, lower = struct.unpack('>I4I4', id)
local index, there = search(key, h, upper, lower)
if not there and is_below_window(h, index) then return 0 end
local offset = next_offset(key)
if place(key, h, window, new_entry(offset, id, action == 'remove'), action) then
  local top = struct.pack('>I8', offset)
  redis.call('HSET', heads_key(key), star, top, '*', top)
  broadcast(channel, star, offset, body)
end
return 1
