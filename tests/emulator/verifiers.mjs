// What do the verifiers of other projects say of these tokens? Reads a question from standard input, writes the answers.
import { Hono } from 'hono'
import { cloudflareAccess } from '@hono/cloudflare-access'
import { createRemoteJWKSet, jwtVerify } from 'jose'

let asked = ''
for await (const piece of process.stdin) asked += piece
const { base, team, audience, tokens } = JSON.parse(asked)
const domain = `https://${team}.cloudflareaccess.com`

// The one difference to production: the team's domain leads to the emulator.
const outside = globalThis.fetch
globalThis.fetch = (url, options) => outside(String(url).replace(domain, base), options)

const keys = createRemoteJWKSet(new URL(`${base}/cdn-cgi/access/certs`))
const app = new Hono()
app.use('*', cloudflareAccess(team, audience))
app.get('/', (context) => context.json(context.get('accessPayload')))

const answers = {}
for (const [name, token] of Object.entries(tokens)) {
  const jose = await jwtVerify(token, keys, { issuer: domain, audience })
    .then(({ payload }) => payload.email ?? payload.common_name)
    .catch((error) => error.code)
  const said = await app.request('/', { headers: { 'cf-access-jwt-assertion': token } })
  const hono = said.ok ? await said.json().then((payload) => payload.email ?? payload.common_name) : said.status
  answers[name] = { jose, hono }
}
process.stdout.write(JSON.stringify(answers))
