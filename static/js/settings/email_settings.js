/** The part of the account's settings about the e-mail address: whether it is verified, and its change. */

import { fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";
import { formattedDate } from "../elements/time.js";

/** Return the element. */
export function emailSettings(app) {
  const body = h("div.email-settings");
  const element = h("section", { "aria-labelledby": "email-heading" }, h("h2", { id: "email-heading" }, t("E-mail address")), body);

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
      h("p", {}, h("bdi", {}, email), " ", h("span.secondary.small", {}, verifiedAt ? t("Verified") : t("Not verified"))),
      h("p.secondary.small", {}, t("Only you can see it.")),
      verifiedAt ? null : verification(email),
      change ? waiting(change) : h("button.button.plain", { type: "button", onclick: () => fill(body, changeForm(verifiedAt)) }, t("Change address")),
    );
  }

  function verification(email) {
    const send = async () => {
      try {
        await app.api.post("/users/me/email/verification", {});
        app.toasts.show(t("A link is on its way to {email}.", { email }), { iconName: "check" });
      } catch (error) {
        app.toasts.error(error);
      }
    };
    return h(
      "div.notice",
      {},
      h("p", {}, t("Open the link in the mail that we have sent to you. Then no other account can use this address, and mails about what happens here reach you.")),
      h("button.button.plain", { type: "button", onclick: send }, t("Send the link again")),
    );
  }

  function waiting({ email, new_confirmed: isNew, old_confirmed: isOld, expires_at: until }) {
    const values = { email: h("bdi", {}, email), date: formattedDate(until) };
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
      h("p", {}, missingConfirmation(isNew, isOld, values)),
      h("button.button.plain", { type: "button", onclick: stop }, t("Stop the change")),
    );
  }

  function missingConfirmation(isNew, isOld, values) {
    if (isNew) return t("To be changed to {email}. Open the link that was sent to the present address, until {date}.", values);
    if (isOld === false) return t("To be changed to {email}. Open the links that were sent to the new address and the present one, until {date}.", values);
    return t("To be changed to {email}. Open the link that was sent to the new address, until {date}.", values);
  }

  function changeForm(verifiedAt) {
    const email = field("email", t("New e-mail address"), { kind: "email", attributes: { autocomplete: "email" } });
    const both = verifiedAt ? t("Links are sent to both addresses, and both have to confirm the change.") : t("A link to confirm the change is sent to it.");
    return form({
      inputs: [email],
      action: t("Change address"),
      extra: [h("p.secondary.small", {}, both), h("button.button.plain.full", { type: "button", onclick: load }, t("Cancel"))],
      submit: async () => {
        // Without a recent proof that this is the user, the API asks for one.
        show(await app.api.post("/users/me/email", { email: email.input.value.trim() }));
        app.toasts.show(t("Look into your mail to confirm the change."), { iconName: "check" });
      },
    });
  }

  load();
  return element;
}
