/** Passkeys in this browser (WebAuthn Level 3): options and answers as JSON, in which bytes are in base64url. */

import { t } from "../elements/texts.js";

/** Return whether this browser makes and uses passkeys at this address: it must be secure and have a domain. */
export function passkeysAvailable() {
  return Boolean(window.PublicKeyCredential) && isSecureContext && !/^[\d.]+$|^\[/.test(location.hostname);
}

/** Make a passkey with the options of `POST /users/me/passkeys/challenge`; null if the user cancels. */
export async function makePasskey(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map((item) => ({ ...item, id: bytes(item.id) })),
  };
  const credential = await orNull(navigator.credentials.create({ publicKey }));
  if (!credential) return null;
  const { response } = credential;
  return asJson(credential, {
    clientDataJSON: text(response.clientDataJSON),
    attestationObject: text(response.attestationObject),
    transports: response.getTransports?.() ?? [],
  });
}

/**
 * Answer by any passkey with the options of `POST /passkeys/challenge`; null if the user cancels, or `signal` aborts it.
 *
 * With the `mediation` "conditional" the browser asks nothing, and lists passkeys among what it fills into a field.
 */
export async function answerByPasskey(options, { mediation, signal } = {}) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: [] };
  const credential = await orNull(navigator.credentials.get({ publicKey, mediation, signal }));
  if (!credential) return null;
  const { response } = credential;
  return asJson(credential, {
    clientDataJSON: text(response.clientDataJSON),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: response.userHandle ? text(response.userHandle) : undefined,
  });
}

async function orNull(promise) {
  try {
    return await promise;
  } catch (error) {
    // Browsers do not say whether the user cancelled, there is no passkey, or the time is over.
    if (error.name === "NotAllowedError" || error.name === "AbortError") return null;
    if (error.name === "InvalidStateError") throw new Error(t("There is a passkey for this account on this device already."));
    throw error;
  }
}

function asJson(credential, response) {
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
}

function bytes(encoded) {
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
