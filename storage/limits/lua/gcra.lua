-- Fragment: the generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling). A quota is one number, the
-- theoretical arrival time. A request is allowed if that time, with its cost added, is at most one window ahead of the
-- clock. All times are in microseconds.

local function gcra_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Return whether a cost is allowed, what remains, the times until reset and retry, and the arrival time to store.
local function gcra_check(key, limit, window, cost, now)
  local interval = window / limit
  local arrival = math.max(tonumber(redis.call('GET', key) or '0'), now)
  if arrival > now + window then
    -- No charge stores a time so far ahead: the clock has stepped back since, or the window was longer. The bounded time
    -- is stored even if the request is refused. Otherwise it would be one window ahead again at the next request, and
    -- the quota would refill only when the clock has caught up.
    arrival = now + window
    redis.call('SET', key, string.format('%.0f', arrival), 'PX', math.ceil(window / 1000))
  end
  local after = arrival + cost * interval
  -- The half microsecond absorbs rounding: the stored time is a whole number.
  if after - now > window + 0.5 then
    local remaining = math.floor((window - (arrival - now)) / interval + 0.0001)
    return { allowed = 0, remaining = math.max(remaining, 0), reset = arrival - now, retry = after - now - window }
  end
  local remaining = math.floor((window - (after - now)) / interval + 0.0001)
  return { allowed = 1, remaining = remaining, reset = after - now, retry = 0, arrival = after }
end

-- Store the new arrival time. The key expires when the quota is full again, which an absent key means, too.
local function gcra_charge(key, result, now)
  local ttl = math.max(math.ceil((result.arrival - now) / 1000), 1)
  redis.call('SET', key, string.format('%.0f', result.arrival), 'PX', ttl)
end

local function gcra_reply(result)
  return { result.allowed, result.remaining, math.ceil(result.reset), math.ceil(result.retry) }
end
