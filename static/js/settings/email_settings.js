/** The part of the account's settings about the e-mail address: whether it is verified, and its change. */

import { fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { formattedDate } from "../elements/time.js";

/** Return the element. */
export function emailSettings(app) {
  const body = h("div.email-settings");
  const element = h("section", { "aria-labelledby": "email-heading" }, h("h2", { id: "email-heading" }, "E-mail address"), body);

  async function load() {
    try {
      show(await app.api.get("/users/me/email"));
    } catch (error) {
      fill(body, h("p.form-error", { role: "alert" }, error.message));
    }
  }

  function show({ email, verified_at: verifiedAt, change }) {
    fill(
      body,
      h("p", {}, h("bdi", {}, email), " ", h("span.secondary.small", {}, verifiedAt ? "Verified" : "Not verified")),
      h("p.secondary.small", {}, "Only you can see it."),
      verifiedAt ? null : verification(email),
      change ? waiting(change) : h("button.button.plain", { type: "button", onclick: () => fill(body, changeForm(verifiedAt)) }, "Change address"),
    );
  }

  function verification(email) {
    const send = async () => {
      try {
        await app.api.post("/users/me/email/verification", {});
        app.toasts.show(`A link is on its way to ${email}.`, { iconName: "check" });
      } catch (error) {
        app.toasts.error(error);
      }
    };
    return h(
      "div.notice",
      {},
      h("p", {}, "Open the link in the mail that we have sent to you. Then no other account can use this address, and mails about what happens here reach you."),
      h("button.button.plain", { type: "button", onclick: send }, "Send the link again"),
    );
  }

  function waiting({ email, new_confirmed: isNew, old_confirmed: isOld, expires_at: until }) {
    const missing = [!isNew && "the new address", isOld === false && "the present one"].filter(Boolean).join(" and ");
    const stop = async () => {
      try {
        await app.api.delete("/users/me/email/change");
        await load();
      } catch (error) {
        app.toasts.error(error);
      }
    };
    return h(
      "div.notice",
      {},
      h("p", {}, "To be changed to ", h("bdi", {}, email), `. Open the link that was sent to ${missing}, until ${formattedDate(until)}.`),
      h("button.button.plain", { type: "button", onclick: stop }, "Stop the change"),
    );
  }

  function changeForm(verifiedAt) {
    const email = field("email", "New e-mail address", { kind: "email", attributes: { autocomplete: "email" } });
    const both = verifiedAt ? "Links are sent to both addresses, and both have to confirm the change." : "A link to confirm the change is sent to it.";
    return form({
      inputs: [email],
      action: "Change address",
      extra: [h("p.secondary.small", {}, both), h("button.button.plain.full", { type: "button", onclick: load }, "Cancel")],
      submit: async () => {
        // Without a recent proof that this is the user, the API asks for one.
        show(await app.api.post("/users/me/email", { email: email.input.value.trim() }));
        app.toasts.show("Look into your mail to confirm the change.", { iconName: "check" });
      },
    });
  }

  load();
  return element;
}
