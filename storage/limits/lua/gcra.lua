-- The generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling): a quota is one number, the
-- theoretical arrival time. A request passes while that time is less than one window ahead of the clock.
-- All times are microseconds. Returns the verdict, and what to write if the request is to be charged.

local function gcra_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function gcra_judge(key, limit, window, cost, now)
  local interval = window / limit
  local arrival = math.max(tonumber(redis.call('GET', key) or '0'), now)
  local after = arrival + cost * interval
  if after - now > window + 0.5 then
    local remaining = math.floor((window - (arrival - now)) / interval + 0.0001)
    return { allowed = 0, remaining = math.max(remaining, 0), reset = arrival - now, retry = after - now - window }
  end
  local remaining = math.floor((window - (after - now)) / interval + 0.0001)
  return { allowed = 1, remaining = remaining, reset = after - now, retry = 0, arrival = after }
end

local function gcra_charge(key, verdict, now)
  local life = math.max(math.ceil((verdict.arrival - now) / 1000), 1)
  redis.call('SET', key, string.format('%.0f', verdict.arrival), 'PX', life)
end

local function gcra_answer(verdict)
  return { verdict.allowed, verdict.remaining, math.ceil(verdict.reset), math.ceil(verdict.retry) }
end
