// The request for what is shown, as a command for a POSIX shell.

import { addressOf, hasKey } from "./api_client.js";

/** A command that gets the same answer; a key is not shown, but taken from the environment. */
export function curlFor(row, model) {
  const key = hasKey() ? ` \\\n  -H "x-api-key: $HOUSING_API_KEY"` : "";
  return (
    `curl '${addressOf(`predict?model=${encodeURIComponent(model)}`)}'` +
    `${key} \\\n  -H 'content-type: application/json' \\\n  -d '${JSON.stringify(row, null, 1).replace(/\n\s*/g, " ")}'`
  );
}

/** Copy a text, or, where the browser does not let a page do so, select it. */
export async function copy(text, shownIn) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    getSelection().selectAllChildren(shownIn);
    return "Selected: copy it with Ctrl+C or ⌘C.";
  }
}
