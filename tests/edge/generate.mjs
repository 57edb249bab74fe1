// Signs messages as Workers do for Cloudflare, with WebCrypto and URLSearchParams, and checks what others have signed.
// Standard input: a list of [secret, message, timestamp, stamp]. Standard output: a list of [query, verified].
import { webcrypto as crypto } from "node:crypto";

const bytes = (text) => new TextEncoder().encode(text);
let input = "";
for await (const chunk of process.stdin) input += chunk;

const answers = [];
for (const [secret, message, at, stamp] of JSON.parse(input)) {
  const key = await crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const signed = bytes(`${message}${at}`);
  const mac = Buffer.from(await crypto.subtle.sign("HMAC", key, signed)).toString("base64");
  const url = new URL(message, "https://example.com");
  url.searchParams.set("verify", `${at}-${mac}`);
  const given = new URL(`https://example.com/?verify=${stamp}`).searchParams.get("verify");
  const theirs = Buffer.from(given.slice(given.indexOf("-") + 1), "base64"); // either alphabet
  answers.push([`${url.pathname}${url.search}`, await crypto.subtle.verify("HMAC", key, theirs, signed)]);
}
console.log(JSON.stringify(answers));
