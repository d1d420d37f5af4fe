/** The field for a code of the second factor. */

import { field } from "../elements/form.js";
import { t } from "../elements/texts.js";

/** Return a field, as `field` does, for a code of an authenticator application or a recovery code. */
export function codeField() {
  return field("code", t("Code"), {
    hint: t("Of your authenticator application, or one of your recovery codes."),
    attributes: { autocomplete: "one-time-code", autocapitalize: "none", spellcheck: "false", maxlength: 40 },
  });
}
