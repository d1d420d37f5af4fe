-- Register users at a process, or unregister them.
--
-- KEYS: registry hash, users announced as online, last-seen times of the others. ARGV: process id, one '+' or '-' per
-- user, prefix of the presence topics' channels, head of a presence message, then the users' fields.
-- A user who was offline is published as online in the same step. A user whose last connection closes stays online
-- during the grace period, with the millisecond of the departure as score (expire_departed.lua ends it).
-- Returns the indexes (from 1) of users who were not registered here before, and the number of users published.

local process, flags, prefix, head = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local size, added, published = #process, {}, 0
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))

local function arrive(field)
  local score = redis.call('ZSCORE', KEYS[2], field)
  if score == '0' then return end
  redis.call('ZADD', KEYS[2], 0, field)
  -- Back within the grace period: the user never was offline for others.
  if score then return end
  redis.call('ZREM', KEYS[3], field)
  local topic = prefix .. string.format('%08x%08x', struct.unpack('>I4I4', field))
  publish(topic, head .. field .. struct.pack('>I8', 0))
  published = published + 1
end

-- Also called for users whose registration was lost with other data; they would otherwise stay online for ever.
local function depart(field)
  if redis.call('ZSCORE', KEYS[2], field) == '0' then
    redis.call('ZADD', KEYS[2], now_ms, field)
  end
end

for i = 1, #flags do
  local field = ARGV[i + 4]
  local value = redis.call('HGET', KEYS[1], field) or ''
  local at = nil
  for start = 1, #value, size do
    if string.sub(value, start, start + size - 1) == process then
      at = start
      break
    end
  end
  if string.byte(flags, i) == 43 then -- '+'
    if not at then
      redis.call('HSET', KEYS[1], field, value .. process)
      added[#added + 1] = i
      arrive(field)
    end
  else
    local rest = at and string.sub(value, 1, at - 1) .. string.sub(value, at + size) or value
    if rest == '' then
      redis.call('HDEL', KEYS[1], field)
      depart(field)
    elseif at then
      redis.call('HSET', KEYS[1], field, rest)
    end
  end
end

return { added, published }
