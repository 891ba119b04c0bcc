// Builds and copies the curl command for the row on the page.

import { hasApiKey, urlOf } from "./api_client.js";

/** A curl command for a POSIX shell; it reads the API key, if any, from the environment. */
export function curlCommand(row, model) {
  const key = hasApiKey() ? ` \\\n  -H "x-api-key: $HOUSING_API_KEY"` : "";
  return (
    `curl '${urlOf(`predict?model=${encodeURIComponent(model)}`)}'` +
    `${key} \\\n  -H 'content-type: application/json' \\\n  -d '${JSON.stringify(row, null, 1).replace(/\n\s*/g, " ")}'`
  );
}

/** Copy a text, or select it in `container` where the browser denies access to the clipboard. */
export async function copyText(text, container) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    getSelection().selectAllChildren(container);
    return "Selected. Press Ctrl+C or ⌘C to copy.";
  }
}
