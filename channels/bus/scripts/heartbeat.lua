-- Record a heartbeat of a process, and hand out the processes whose heartbeats have stopped.
--
-- KEYS[1]: sorted set of processes; the score is the millisecond of the last heartbeat.
-- ARGV: process id, milliseconds without a heartbeat after which a process is dead, 1 if the caller takes dead ones over,
-- milliseconds since the caller's previous heartbeat by its own clock, which never steps, or -1.
-- Returns whether the process was unknown, and (id, last heartbeat) of each dead process in turn.

local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local stamp = string.format('%.0f', now_ms)

-- More time has passed here than at the caller: the clock has stepped forward, or a successor's clock is ahead. All other
-- processes would seem to be silent, so each gets a full deadline from now. A smaller step makes none seem silent that
-- has missed one heartbeat or two.
local previous, elapsed = redis.call('ZSCORE', KEYS[1], ARGV[1]), tonumber(ARGV[4])
if previous and elapsed >= 0 and now_ms - previous - elapsed > ARGV[2] / 2 then
  for _, process in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], stamp, process)
  end
end

local unknown = redis.call('ZADD', KEYS[1], stamp, ARGV[1])
-- A heartbeat in the future was recorded before the clock stepped back. Without this bound its process would count as
-- alive until the clock has caught up.
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. stamp, '+inf')) do
  redis.call('ZADD', KEYS[1], stamp, process)
end
local dead = {}
if ARGV[3] == '1' then
  dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now_ms - ARGV[2]), 'WITHSCORES')
  -- The new score gives a dead process to this caller alone. If the caller dies, too, another one gets it after the
  -- same time; a caller that finishes removes it.
  for i = 1, #dead, 2 do
    redis.call('ZADD', KEYS[1], stamp, dead[i])
  end
end

return { unknown, dead }
