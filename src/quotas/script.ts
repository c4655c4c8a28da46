/**
 * What Redis runs, atomically. Each counter is three keys with one hash tag, so that they are in one slot of a cluster: KEYS[1] a hash
 * (start of the window, used records, what is held, whether the estimate is used), KEYS[2] reservations by their expiry, KEYS[3] data subjects.
 * The time is that of Redis, so that clocks of sidecars do not matter; tests pass one.
 */
const COUNTER = `
local now = tonumber(ARGV[1])
if now == nil then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local per, of, expiry = ARGV[2], ARGV[3], tonumber(ARGV[4])
local HOUR, DAY = 3600000, 86400000
local longest = ({ hour = HOUR, day = DAY, month = 31 * DAY })[per]
local floor = math.floor
-- Day of the month from the days since 1970: civil_from_days of Howard Hinnant.
local function day_of_month(days)
  local z = days + 719468
  local doe = z % 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  return doy - floor((153 * mp + 2) / 5) + 1
end
local start
if per == 'hour' then start = now - now % HOUR
elseif per == 'day' then start = now - now % DAY
else
  local days = floor(now / DAY)
  start = (days - day_of_month(days) + 1) * DAY
end
local function whole(n) return string.format('%.0f', n) end
local stored = tonumber(redis.call('HGET', KEYS[1], 'start'))
if stored == nil or start > stored then
  redis.call('HSET', KEYS[1], 'start', whole(start), 'used', '0', 'estimated', '0')
  redis.call('DEL', KEYS[3])
elseif stored - start > longest then
  -- The clock went back by more than a window: what is used stays used until the next border.
  redis.call('HSET', KEYS[1], 'start', whole(start))
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now))) do
  redis.call('HINCRBY', KEYS[1], 'held', '-' .. string.match(member, '%d+$'))
  redis.call('ZREM', KEYS[2], member)
end
local function keep()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, whole(longest + expiry)) end
end
`;

/** ARGV: now or '', per, of, expiry, limit, wanted, all ('1'), id */
export const RESERVE = `${COUNTER}
local limit, wanted, all, id = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1', ARGV[8]
local estimated = redis.call('HGET', KEYS[1], 'estimated') == '1'
local used
if of == 'records' then used = tonumber(redis.call('HGET', KEYS[1], 'used'))
elseif estimated then used = redis.call('PFCOUNT', KEYS[3])
else used = redis.call('SCARD', KEYS[3]) end
local held = tonumber(redis.call('HGET', KEYS[1], 'held') or '0')
local granted = math.min(wanted, math.max(0, limit - used - held))
if all and granted < wanted then granted = 0 end
if granted > 0 then
  redis.call('ZADD', KEYS[2], whole(now + expiry), id .. ' ' .. whole(granted))
  redis.call('HINCRBY', KEYS[1], 'held', whole(granted))
end
keep()
return { used, held, granted, estimated and 0 or 1 }
`;

/**
 * ARGV: now or '', per, of, expiry, exact, id, granted or '' (unknown), whether it is repeated ('1'), records, data subjects …
 * Only a reservation that is still held shows that a repeated settlement was not counted. Data subjects count once anyway.
 */
export const SETTLE = `${COUNTER}
local exact, id, granted, repeated = tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8] == '1'
local held = {}
if granted ~= '' then held = { id .. ' ' .. granted }
else
  for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if string.sub(member, 1, #id + 1) == id .. ' ' then held[#held + 1] = member end
  end
end
local is_held = false
for _, member in ipairs(held) do
  if redis.call('ZREM', KEYS[2], member) == 1 then
    redis.call('HINCRBY', KEYS[1], 'held', '-' .. string.match(member, '%d+$'))
    is_held = true
  end
end
if of == 'records' then
  if is_held or not repeated then redis.call('HINCRBY', KEYS[1], 'used', ARGV[9]) end
else
  local estimated = redis.call('HGET', KEYS[1], 'estimated') == '1'
  for i = 10, #ARGV do redis.call(estimated and 'PFADD' or 'SADD', KEYS[3], ARGV[i]) end
  if not estimated and redis.call('SCARD', KEYS[3]) > exact then
    local members = redis.call('SMEMBERS', KEYS[3])
    redis.call('DEL', KEYS[3])
    for _, member in ipairs(members) do redis.call('PFADD', KEYS[3], member) end
    redis.call('HSET', KEYS[1], 'estimated', '1')
  end
end
keep()
return 1
`;
