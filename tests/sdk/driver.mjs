// Clients of the SDK: do what tests order, and tell what happens to them. The same in Node and in a page.

const EVENTS = ["connecting", "connected", "disconnected", "error", "subscribing", "subscribed", "unsubscribed", "publication"];
const QUICK = { minReconnectDelay: 10, maxReconnectDelay: 50 }; // milliseconds
const QUICK_AGAIN = { minResubscribeDelay: 10, maxResubscribeDelay: 50 };

/**
 * Return who takes orders. One names its client by a number; {client: 1, do: "open", …} makes it.
 * `forms` are the SDK's classes by the form of the protocol, `options` what they need here.
 */
export function driver(forms, options, tell) {
  const clients = new Map();
  return ({ client, ...order }) => {
    if (order.do === "open") {
      clients.set(client, open(forms[order.form], order, options, (event) => tell({ client, ...event })));
    } else {
      clients.get(client)[order.do](order);
    }
  };
}

/** Return what the SDK is given for one transport: the address of the WebSocket, or a fallback beside it. */
function endpoint(url, transport) {
  if (transport === "websocket") return [url, {}];
  const address = (path) => new URL(path, url.replace("ws", "http")).href;
  return [[{ transport, endpoint: address(`/connection/${transport}`) }], { emulationEndpoint: address("/emulation") }];
}

function open(Centrifuge, { url, tokens, form, transport }, options, tell) {
  const left = [...tokens];
  const getToken = async () => (left.length > 1 ? left.shift() : left[0]);
  const [target, further] = endpoint(url, transport);
  const client = new Centrifuge(target, { getToken, ...QUICK, ...further, ...options });
  const { read, write } = form === "protobuf" ? BYTES : VALUES;
  const asks = questions(client, read, write);

  function follow(source) {
    for (const event of EVENTS) source.on(event, (context) => tell({ event, ...shown(context, read) }));
    return source;
  }

  follow(client);
  return {
    connect: () => client.connect(),
    disconnect: () => client.disconnect(),
    subscribe: ({ channel }) =>
      (client.getSubscription(channel) ?? follow(client.newSubscription(channel, QUICK_AGAIN))).subscribe(),
    unsubscribe: ({ channel }) => client.getSubscription(channel).unsubscribe(),
    async ask({ number, method, params }) {
      try {
        tell({ event: "answer", number, result: await asks[method](params) });
      } catch ({ code, message }) {
        tell({ event: "answer", number, code, reason: message });
      }
    },
  };
}

function questions(client, read, write) {
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

/** How documents are given to the SDK and gotten from it: as values in JSON, as bytes in Protobuf. */
const VALUES = { read: (data) => data, write: (data) => data };
const BYTES = {
  read: (data) => (data?.length ? JSON.parse(new TextDecoder().decode(data)) : undefined),
  write: (data) => new TextEncoder().encode(JSON.stringify(data)),
};

function shown({ channel, code, reason, error, wasRecovering, recovered, offset, data }, read) {
  return { channel, code: code ?? error?.code, reason, was_recovering: wasRecovering, recovered, offset, data: read(data) };
}
