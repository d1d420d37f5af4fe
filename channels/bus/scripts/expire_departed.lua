-- Publish as offline the users who departed some time ago and have not returned.
--
-- KEYS: users announced as online, last-seen times of the others. ARGV: grace period in ms, ms for which a last-seen time
-- is kept, maximum number of users, prefix of the presence topics' channels, head of a presence message.
-- Returns the number of users published.

local prefix, head = ARGV[4], ARGV[5]
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

-- A time in the future was stored before the clock stepped back. Bounded by the present, the grace period ends a grace
-- period from now, and not when the clock has caught up.
for _, key in ipairs(KEYS) do
  local present = string.format('%.0f', now_ms)
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. present, '+inf', 'LIMIT', 0, ARGV[3])) do
    redis.call('ZADD', key, present, field)
  end
end

local until_ms = string.format('%.0f', now_ms - ARGV[1])
-- A score of 0 means online; any other score is the millisecond of the departure.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', until_ms, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #due, 2 do
  local field, left_ms = due[i], due[i + 1]
  redis.call('ZREM', KEYS[1], field)
  redis.call('ZADD', KEYS[2], left_ms, field)
  local topic = prefix .. string.format('%08x%08x', struct.unpack('>I4I4', field))
  publish(topic, head .. field .. struct.pack('>I8', tonumber(left_ms)))
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now_ms - ARGV[2]))

return #due / 2
