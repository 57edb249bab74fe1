// Runs verifiers of another language in their own process: see node.py. A line asks for so many calls of one of them.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/package.json"));
const contenders = {};
const facts = { node: process.version };

async function prepare(setup) {
  const [header, payload, signature] = setup.token.split(".");
  const signed = Buffer.from(`${header}.${payload}`);
  const bytes = Buffer.from(signature, "base64url");
  const { kid } = JSON.parse(Buffer.from(header, "base64url"));
  const key = createPublicKey({ key: setup.keys.keys.find((jwk) => jwk.kid === kid), format: "jwk" });
  contenders.raw = () => {
    if (!verify("RSA-SHA256", signed, key, bytes)) throw new Error("a good signature was refused");
  };

  const jose = await import(pathToFileURL(require.resolve("jose")));
  const remote = jose.createRemoteJWKSet(new URL(setup.url));
  const options = { issuer: setup.issuer, audience: setup.audience, algorithms: ["RS256"] };
  contenders.jose = () => jose.jwtVerify(setup.token, remote, options);

  const { JwtVerifier } = require("aws-jwt-verify");
  const verifier = JwtVerifier.create({ issuer: setup.issuer, audience: setup.audience, jwksUri: `${setup.issuer}/x` });
  verifier.cacheJwks({ keys: setup.keys.keys.map((jwk) => ({ use: "sig", ...jwk })) });
  contenders.aws = () => verifier.verifySync(setup.token);

  for (const name of ["jose", "aws-jwt-verify"]) facts[name] = version(name);
  for (const call of Object.values(contenders)) for (let turn = 0; turn < 2000; turn++) await call(); // compiled now
}

// Not by require: packages need not export their own description.
function version(name) {
  return JSON.parse(readFileSync(`${process.cwd()}/node_modules/${name}/package.json`, "utf8")).version;
}

async function taken(name, times) {
  const call = contenders[name];
  for (let turn = 0; turn < 3; turn++) await call(); // as here, the first ones are not measured
  const start = process.hrtime.bigint();
  if (name === "jose") for (let turn = 0; turn < times; turn++) await call();
  else for (let turn = 0; turn < times; turn++) call();
  return process.hrtime.bigint() - start;
}

let prepared = false;
for await (const line of createInterface({ input: process.stdin })) {
  if (prepared) {
    const [name, times] = line.split(" ");
    process.stdout.write(`${await taken(name, Number(times))}\n`);
    continue;
  }
  try {
    await prepare(JSON.parse(line));
  } catch (error) {
    facts.failed = `${error.name}: ${error.message}`.slice(0, 200);
  }
  process.stdout.write(`${JSON.stringify(facts)}\n`);
  prepared = true;
}
