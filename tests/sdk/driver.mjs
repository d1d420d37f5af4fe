// Clients of the SDK that execute commands of tests and report their events, in Node and in a page.

const EVENTS = ["connecting", "connected", "disconnected", "error", "subscribing", "subscribed", "unsubscribed", "publication"];
const FAST_RECONNECT = { minReconnectDelay: 10, maxReconnectDelay: 50 }; // milliseconds
const FAST_RESUBSCRIBE = { minResubscribeDelay: 10, maxResubscribeDelay: 50 };

/**
 * Return a function that executes commands. A command names its client by number; {client: 1, do: "open", …} creates it.
 * `classes` are the SDK's classes by encoding, `options` their options in this runtime.
 */
export function driver(classes, options, emit) {
  const clients = new Map();
  return ({ client, ...command }) => {
    if (command.do === "open") {
      clients.set(client, open(classes[command.encoding], command, options, (event) => emit({ client, ...event })));
    } else {
      clients.get(client)[command.do](command);
    }
  };
}

/** Return the endpoint and the options of a transport: the address of the WebSocket, or a fallback. */
function endpoint(url, transport) {
  if (transport === "websocket") return [url, {}];
  const address = (path) => new URL(path, url.replace("ws", "http")).href;
  return [[{ transport, endpoint: address(`/connection/${transport}`) }], { emulationEndpoint: address("/emulation") }];
}

function open(Centrifuge, { url, tokens, encoding, transport }, options, emit) {
  const remaining = [...tokens];
  const getToken = async () => (remaining.length > 1 ? remaining.shift() : remaining[0]);
  const [target, transportOptions] = endpoint(url, transport);
  const client = new Centrifuge(target, { getToken, ...FAST_RECONNECT, ...transportOptions, ...options });
  const { read, write } = encoding === "protobuf" ? BYTES : VALUES;
  const methods = requestMethods(client, read, write);

  function report(source) {
    for (const event of EVENTS) source.on(event, (context) => emit({ event, ...fieldsOf(context, read) }));
    return source;
  }

  report(client);
  return {
    connect: () => client.connect(),
    disconnect: () => client.disconnect(),
    subscribe: ({ channel }) =>
      (client.getSubscription(channel) ?? report(client.newSubscription(channel, FAST_RESUBSCRIBE))).subscribe(),
    unsubscribe: ({ channel }) => client.getSubscription(channel).unsubscribe(),
    async request({ number, method, params }) {
      try {
        emit({ event: "reply", number, result: await methods[method](params) });
      } catch ({ code, message }) {
        emit({ event: "reply", number, code, reason: message });
      }
    },
  };
}

function requestMethods(client, read, write) {
  return {
    publish: ({ channel, data }) => client.publish(channel, write(data)),
    rpc: async ({ name, data }) => ({ data: read((await client.rpc(name, write(data))).data) }),
    async history({ channel, ...options }) {
      const { publications, offset, epoch } = await client.history(channel, options);
      return { publications: publications.map((item) => ({ offset: item.offset, data: read(item.data) })), offset, epoch };
    },
    async presence({ channel }) {
      const { clients } = await client.presence(channel);
      return { clients: Object.fromEntries(Object.entries(clients).map(([id, info]) => [id, info.user])) };
    },
    async presence_stats({ channel }) {
      const { numClients, numUsers } = await client.presenceStats(channel);
      return { num_clients: numClients, num_users: numUsers };
    },
  };
}

/** The conversion of documents for the SDK: values with JSON, bytes with Protobuf. */
const VALUES = { read: (data) => data, write: (data) => data };
const BYTES = {
  read: (data) => (data?.length ? JSON.parse(new TextDecoder().decode(data)) : undefined),
  write: (data) => new TextEncoder().encode(JSON.stringify(data)),
};

function fieldsOf({ channel, code, reason, error, wasRecovering, recovered, offset, data }, read) {
  return { channel, code: code ?? error?.code, reason, was_recovering: wasRecovering, recovered, offset, data: read(data) };
}
