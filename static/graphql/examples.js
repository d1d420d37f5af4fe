/** Operations to begin with, and those that the user has saved in this browser. */

const KEY = "picshare.graphql";

export const EXAMPLES = [
  {
    name: "Trending",
    query: `{
  trending {
    photos(first: 5) {
      nodes { id caption likeCount author { username } }
    }
    tags(first: 5) { nodes { name authorCount } }
  }
}`,
    variables: "",
  },
  {
    name: "Your feed",
    query: `query Feed($first: Int!, $after: String) {
  viewer {
    feed(first: $first, after: $after) {
      nodes {
        id caption createdAt likeCount commentCount liked
        author { username avatarUrl }
        comments(first: 2) { nodes { text author { username } } }
      }
      pageInfo { endCursor hasNextPage }
    }
  }
}`,
    variables: `{ "first": 10 }`,
  },
  {
    name: "A profile",
    query: `query Profile($name: String!) {
  user(username: $name) {
    id displayName bio followerCount followingCount photoCount
    relation { following followedBy }
    photos(first: 6) { nodes { id urls { thumb } altText } }
  }
}`,
    variables: `{ "name": "ann" }`,
  },
  {
    name: "Your notifications",
    query: `{
  viewer {
    counters { unseen unread }
    notifications(first: 10) {
      nodes { id kind text read photo { id } actors { username } }
    }
  }
}`,
    variables: "",
  },
  {
    name: "Like a photo",
    query: `mutation Like($photo: ID!) {
  likePhoto(photo: $photo) {
    photo { liked likeCount }
    errors { code field message }
  }
}`,
    variables: `{ "photo": "P-01K3S9C0XG4Q7" }`,
  },
];

/** Return the operations that were saved, the last one first; none if the browser keeps nothing. */
export function savedOperations() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(saved) ? saved : [];
  } catch {
    return [];
  }
}

/** Save an operation under its name, in place of one with the same name; return whether the browser keeps it. */
export function saveOperation(operation) {
  const others = savedOperations().filter((each) => each.name !== operation.name);
  try {
    localStorage.setItem(KEY, JSON.stringify([operation, ...others].slice(0, 50)));
    return true;
  } catch {
    return false;
  }
}

/** Return a name for an operation: that in its text, or its first field. */
export function nameOf(query) {
  return /(?:query|mutation)\s+(\w+)/.exec(query)?.[1] ?? /\{\s*(\w+)/.exec(query)?.[1] ?? "operation";
}
