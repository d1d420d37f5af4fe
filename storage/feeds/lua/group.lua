-- Fragment with the keys that the scripts use besides the logs that they are given. All logs of a slot group have its
-- hash tag, as `feed:{<group>}:<user>`; so have these keys, and they lie in the same slot.

-- The offset that was given last in the group.
local function clock_key(log) return 'clock:' .. string.match(log, '{%d+}') end

-- The offset of each star's newest announcement in the group, and of the newest of all in the field '*'.
local function heads_key(log) return 'starheads:' .. string.match(log, '{%d+}') end

-- The log of a star's announcements in the group; `star` has 8 bytes.
local function star_key(log, star) return 'star:' .. string.match(log, '{%d+}') .. ':' .. star end

-- The stars that the owner of a feed follows: the offset up to which their announcements were pulled, then their ids.
local function stars_key(feed) return 'stars' .. string.match(feed, ':.*') end

-- How often feeds have pulled photos in the group, and how many photos, since both were read (star_report.py).
local function pulls_key(log) return 'starpulls:' .. string.match(log, '{%d+}') end
local function pulled_key(log) return 'starpulled:' .. string.match(log, '{%d+}') end

-- Return a new offset: the microsecond of the server's clock, but greater than every offset that was given in the group,
-- and not below `lowest`. The clock may have stepped back. Without this a client that has a position could never recover
-- what is published below it.
local function next_offset(log, lowest)
  local clock = clock_key(log)
  local last = tonumber(redis.call('GET', clock) or 0)
  local offset = math.max(now_us(), last + 1, lowest or 0)
  redis.call('SET', clock, string.format('%.0f', offset))
  return offset
end

-- Return the offset that was given last in the group.
local function last_offset(log)
  return tonumber(redis.call('GET', clock_key(log)) or 0)
end
