// Asks an External Evaluation endpoint as Access does, and believes the answer as Cloudflare's page says that it does:
// signed with a key of the Keys URL, not expired, success, the same nonce. With WebCrypto, and with jose where it is.
// Standard input: {evaluate, keys, questions: {name: [token, nonce]}}. Standard output: {name: {webcrypto, jose}}.
import { webcrypto as crypto } from "node:crypto";

const jose = await import("jose").catch(() => null);
const bytes = (text) => new TextEncoder().encode(text);
const json = (segment) => JSON.parse(Buffer.from(segment, "base64url").toString());

const believe = (claims, nonce) => {
  if (claims.nonce !== nonce) return "another nonce";
  return claims.success === true ? "yes" : "no";
};

const withWebCrypto = async (token, keys, nonce) => {
  const [header, payload, signature] = token.split(".");
  const { alg, kid } = json(header);
  const jwk = keys.keys.find((key) => key.kid === kid);
  if (alg !== "RS256" || !jwk) return "unknown key";
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["verify"]);
  const signed = bytes(`${header}.${payload}`);
  if (!(await crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, Buffer.from(signature, "base64url"), signed))) return "forged";
  const claims = json(payload);
  return claims.exp <= Date.now() / 1000 ? "expired" : believe(claims, nonce);
};

const withJose = async (token, url, nonce) => {
  const keys = jose.createRemoteJWKSet(new URL(url));
  const { payload } = await jose.jwtVerify(token, keys, { algorithms: ["RS256"], requiredClaims: ["exp", "iat"] });
  return believe(payload, nonce);
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { evaluate, keys, questions } = JSON.parse(input);

const found = {};
for (const [name, [token, nonce]] of Object.entries(questions)) {
  const response = await fetch(evaluate, { method: "POST", body: JSON.stringify({ token }) });
  const said = await response.json();
  if (response.status !== 200) {
    found[name] = { webcrypto: response.status, jose: response.status };
    continue;
  }
  const published = await (await fetch(keys)).json();
  found[name] = {
    webcrypto: await withWebCrypto(said.token, published, nonce),
    jose: jose && (await withJose(said.token, keys, nonce).catch((error) => error.code)),
  };
}
console.log(JSON.stringify(found));
