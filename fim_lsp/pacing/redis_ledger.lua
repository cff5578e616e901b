-- One exchange with a team's ledger, atomic as every script is: bring this server's calls up to
-- date, then perhaps enter one more, then say how things stand.
--
-- KEYS: the account's calls (sorted set), its servers (sorted set), its state (hash).
-- A call is a member "TOKENS:OWNER:ENTRY" whose score is the time when it counts no more; the
-- server's clock is the only one, in milliseconds, because the team's clocks differ. ARGV[1] is JSON.
local ask = cjson.decode(ARGV[1])
local calls, servers, state = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function tokens_of(member)
  return tonumber(string.match(member, '^%d+'))
end

local function drop(member)
  if redis.call('ZREM', calls, member) == 1 then
    redis.call('HINCRBY', state, 'tokens', -tokens_of(member))
  end
end

local function put(member, leaves_in_ms)
  if redis.call('ZADD', calls, now + leaves_in_ms, member) == 1 then
    redis.call('HINCRBY', state, 'tokens', tokens_of(member))
  end
end

local function is_ours(member)
  return string.match(member, '^%d+:(%w+):') == ask.owner
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', calls, '-inf', now)) do
  drop(member)
end
if ask.is_first then -- what an earlier connection has left may be half done
  for _, member in ipairs(redis.call('ZRANGE', calls, 0, -1)) do
    if is_ours(member) then
      drop(member)
    end
  end
end
for _, member in ipairs(ask.gone) do
  drop(member)
end
for _, call in ipairs(ask.calls) do
  put(call[1], call[2])
end

redis.call('ZADD', servers, now, ask.owner)
redis.call('ZREMRANGEBYSCORE', servers, '-inf', now - ask.seen_ms)
redis.call('HSETNX', state, 'born', now)

local requests = redis.call('ZCARD', calls)
if requests == 0 then
  redis.call('HSET', state, 'tokens', 0) -- keys can be evicted one by one
end
local tokens = tonumber(redis.call('HGET', state, 'tokens') or 0)
local fits = false
if ask.enter then
  local wanted = tokens_of(ask.enter[1])
  fits = requests < ask.most[1] and tokens + wanted <= ask.most[2]
  if fits then
    put(ask.enter[1], ask.enter[2])
  end
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ask.kept_ms)
end

-- The others' calls by the time when they leave, in steps, so that a server which loses the store
-- still knows what they have spent.
local others, last = {}, nil
local listed = redis.call('ZRANGE', calls, 0, -1, 'WITHSCORES')
for at = 1, #listed, 2 do
  if not is_ours(listed[at]) then
    local leaves_in_ms = math.ceil((tonumber(listed[at + 1]) - now) / ask.step_ms) * ask.step_ms
    if last and last[1] == leaves_in_ms then
      last[2], last[3] = last[2] + 1, last[3] + tokens_of(listed[at])
    else
      last = { leaves_in_ms, 1, tokens_of(listed[at]) }
      others[#others + 1] = last
    end
  end
end
local born = tonumber(redis.call('HGET', state, 'born'))
return cjson.encode({
  fits = fits,
  born = born,
  age_ms = now - born,
  servers = redis.call('ZCARD', servers),
  others = others,
})
