-- Keep a list of photos for its reader, so that its order does not change while it is read.
--
-- KEYS: the reader's list, and the one before it. ARGV: action, time to live in s, and the action's arguments.
--   begin  wish (8 bytes), age in s up to which a list is given again, and the list to keep if there is none, as id and
--          rest (optional)                                                          -> the list, or '' without one
--   go_on  id of the list (8 bytes)                                                 -> the list, or '' if it is gone
--
-- A list is the id (8 bytes), the time at which it was kept in µs (u64), the wish, and the rest, which is opaque here.
-- The wish is what the reader asked for: a list that was made for another one is not given again.

local action, ttl = ARGV[1], ARGV[2]

if action == 'go_on' then
  for _, key in ipairs(KEYS) do
    if redis.call('GETRANGE', key, 0, 7) == ARGV[3] then
      redis.call('EXPIRE', key, ttl)
      return redis.call('GET', key)
    end
  end
  return ''
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local wish, list = ARGV[3], redis.call('GET', KEYS[1])
if list and string.sub(list, 17, 24) == wish then
  -- A time ahead of the clock has no age: the clock has stepped back, and the list would not end for as long.
  local age = now - struct.unpack('>I8', list, 9)
  if age >= 0 and age < tonumber(ARGV[4]) * 1000000 then
    redis.call('EXPIRE', KEYS[1], ttl)
    return list
  end
end
if not ARGV[5] then return '' end
-- The former list stays for as long as it would have: another device of the reader may be going on in it.
if list then redis.call('RENAME', KEYS[1], KEYS[2]) end
list = ARGV[5] .. struct.pack('>I8', now) .. wish .. ARGV[6]
redis.call('SET', KEYS[1], list, 'EX', ttl)
return list
