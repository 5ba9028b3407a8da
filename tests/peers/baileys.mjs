// Baileys, as it is on npm, against the simulator: `node baileys.mjs FOLDER READY`, where FOLDER
// has it in its node_modules and READY is the line that tether-sim prints. Prints a line for each
// step, and ends with 1 at the first one that fails.
//
// Nothing of Baileys is changed. The simulator's root key takes the place of the network's in
// its exported constant, and its hard-wired media host is looked up here, as a line in
// /etc/hosts would have it.
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

const [folder, readyLine] = process.argv.slice(2)
const ready = JSON.parse(readyLine)
const require = createRequire(path.join(path.resolve(folder), 'any.js'))
const load = name => import(pathToFileURL(require.resolve(name)).href)
const { default: makeWASocket, useMultiFileAuthState, downloadMediaMessage, DisconnectReason, WA_CERT_DETAILS } =
  await load('baileys')
const { default: pino } = await load('pino')

Buffer.from(ready.root_key, 'hex').copy(WA_CERT_DETAILS.PUBLIC_KEY)
const outside = globalThis.fetch
globalThis.fetch = (url, options) =>
  outside(String(url).replace('https://mmg.whatsapp.net/', `https://${ready.media}/`), options)

const WITHIN_MS = 30_000
const FRIEND = '15550111'
const OTHER = '15550112'
const ACCOUNT = '15550101'
const jid = number => `${number}@s.whatsapp.net`

/** Calls of the simulator's control socket. */
const socket = net.connect(ready.control)
const replies = new Map()
readline.createInterface({ input: socket }).on('line', line => {
  const { id, result, error } = JSON.parse(line)
  const [done, failed] = replies.get(id)
  error ? failed(new Error(error.message)) : done(result)
})
let calls = 0
const sim = (method, params = {}) =>
  new Promise((done, failed) => {
    replies.set(++calls, [done, failed])
    socket.write(JSON.stringify({ jsonrpc: '2.0', id: calls, method, params }) + '\n')
  })

/** Until something is true of the simulator, asking again with each turn. */
async function until(what, find) {
  const end = Date.now() + WITHIN_MS
  while (Date.now() < end) {
    const found = await find()
    if (found) return found
    await new Promise(done => setImmediate(done))
  }
  throw new Error(`not in time: ${what}`)
}
const inbox = (number, fits) =>
  until('a message in the inbox', async () =>
    (await sim('recipient.inbox', { number })).messages.find(fits))
const seen = (number, fits) =>
  until('something that a person sees', async () =>
    (await sim('presence.seen', { number })).seen.find(fits))

/** A client that pairs with the account's phone when it shows a code. */
class Client {
  events = []
  waiting = []

  static async new(account) {
    const client = new Client()
    client.account = account
    client.folder = mkdtempSync(path.join(tmpdir(), 'tetherd-baileys-'))
    await client.start()
    await client.open()
    return client
  }

  async start() {
    const { state, saveCreds } = await useMultiFileAuthState(this.folder)
    this.state = state
    this.sock = makeWASocket({
      auth: state,
      waWebSocketUrl: ready.endpoint,
      version: [2, 3000, 1],
      logger: pino({ level: 'silent' }),
    })
    this.sock.ev.on('creds.update', saveCreds)
    this.sock.ev.process(events => {
      for (const event of Object.entries(events)) this.happened(event)
    })
  }

  happened([name, data]) {
    this.events.push([name, data])
    this.waiting = this.waiting.filter(({ fits, done }) => {
      const found = fits(name, data)
      if (found) done(found)
      return !found
    })
    if (name !== 'connection.update') return
    if (data.qr) sim('phone.scan', { qr: data.qr, account: this.account }).catch(() => {})
    const code = data.lastDisconnect?.error?.output?.statusCode
    if (data.connection === 'close' && code === DisconnectReason.restartRequired) this.start()
  }

  /** What an event was, or will be. */
  async wait(name, find) {
    const fits = (got, data) => got === name && find(data)
    for (const event of this.events) {
      const found = fits(...event)
      if (found) return found
    }
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no ${name} in time`)), WITHIN_MS)
      this.waiting.push({ fits, done: found => (clearTimeout(timer), done(found)) })
    })
  }

  open() {
    return this.wait('connection.update', update => update.connection === 'open')
  }

  async away() {
    await this.sock.end(undefined)
    this.events = []
  }

  message(fits) {
    return this.wait('messages.upsert', ({ messages }) => messages.find(fits))
  }

  /** Until a message is delivered (3) or read (4): an update, or part of a late message. */
  status(id, status) {
    const fits = (got, now) => got.id === id && now >= status
    const update = this.wait('messages.update', all => all.find(u => fits(u.key, u.update.status)))
    return Promise.race([update, this.message(message => fits(message.key, message.status))])
  }
}

async function step(name, act) {
  await act()
  console.log(name)
}

let one, two, sent, back, group

async function messages() {
  const to = jid(FRIEND)
  await step('a text, its receipts', async () => {
    sent = await one.sock.sendMessage(to, { text: 'hello' })
    assert.equal((await inbox(FRIEND, got => got.id === sent.key.id)).text, 'hello')
    await one.status(sent.key.id, 4)
    await two.message(got => got.key.id === sent.key.id && got.key.fromMe)
  })
  await step('an answer, read', async () => {
    await sim('recipient.reply', { number: FRIEND, to: ACCOUNT, text: 'back' })
    back = await one.message(got => got.message?.conversation === 'back')
    await two.message(got => got.key.id === back.key.id)
    await one.sock.readMessages([back.key])
    await seen(FRIEND, got => got.kind === 'read' && got.ids.includes(back.key.id))
  })
  await step('an edit, a reaction, a deletion', async () => {
    await one.sock.sendMessage(to, { text: 'hello 2', edit: sent.key })
    await inbox(FRIEND, got => got.content?.kind === 'edit' && got.content.text === 'hello 2')
    await one.sock.sendMessage(to, { react: { text: '👍', key: sent.key } })
    await inbox(FRIEND, got => got.content?.kind === 'reaction')
    await one.sock.sendMessage(to, { delete: sent.key })
    await inbox(FRIEND, got => got.content?.kind === 'revoke')
  })
  await step('files there and back', async () => {
    const document = Buffer.alloc(5_000, 'x')
    await one.sock.sendMessage(to, { document, mimetype: 'application/x-x', fileName: 'x.bin' })
    const got = await inbox(FRIEND, got => got.content?.kind === 'document')
    assert.equal(got.content.bytes, document.length)
    const file = { kind: 'document', mime: 'application/x-y', name: 'y.bin', bytes: 70_000 }
    await sim('media.send', { number: FRIEND, to: ACCOUNT, file })
    const message = await one.message(got => got.message?.documentMessage && !got.key.fromMe)
    assert.equal((await downloadMediaMessage(message, 'buffer', {})).length, 70_000)
    const part = await downloadMediaMessage(message, 'buffer', { startByte: 100, endByte: 600 })
    assert.deepEqual([part.length, part[0]], [500, 100])
  })
}

async function groups() {
  await step('a group: created, renamed, written to', async () => {
    group = (await one.sock.groupCreate('Walks', [jid(FRIEND)])).id
    await two.wait('groups.upsert', all => all.find(got => got.id === group))
    await one.sock.groupUpdateSubject(group, 'Long walks')
    await two.wait('groups.update', all => all.find(got => got.subject === 'Long walks'))
    const text = await one.sock.sendMessage(group, { text: 'to all' })
    await inbox(FRIEND, got => got.id === text.key.id && got.text === 'to all')
    await two.message(got => got.key.id === text.key.id)
    await sim('recipient.reply', { number: FRIEND, to: group, text: 'in the group' })
    await one.message(got => got.message?.conversation === 'in the group')
  })
  await step('its members, its invite', async () => {
    for (const action of ['add', 'promote', 'demote', 'remove']) {
      const [got] = await one.sock.groupParticipantsUpdate(group, [jid(OTHER)], action)
      assert.equal(got.status, '200', action)
    }
    const code = await one.sock.groupInviteCode(group)
    await one.sock.groupLeave(group)
    assert.equal(await one.sock.groupAcceptInvite(code), group)
    await one.sock.groupLeave(group)
    await assert.rejects(one.sock.groupMetadata(group), /forbidden/)
  })
}

async function account() {
  await step('presence and chat states', async () => {
    await one.sock.presenceSubscribe(jid(FRIEND))
    await sim('presence.set', { number: FRIEND, available: true })
    const known = ({ presences }) => Object.values(presences)[0].lastKnownPresence
    await one.wait('presence.update', update => known(update) === 'available')
    await sim('presence.chat', { number: FRIEND, to: ACCOUNT, state: 'composing' })
    await one.wait('presence.update', update => known(update) === 'composing')
    await one.sock.sendPresenceUpdate('composing', jid(FRIEND))
    await seen(FRIEND, got => got.kind === 'composing')
  })
  await step('the history of the phone', () =>
    one.wait('messaging-history.set', history => history.chats.length > 0))
  await step('app state from client to client, from the phone, and whole', async () => {
    const lastMessages = [{ key: back.key, messageTimestamp: back.messageTimestamp }]
    await one.sock.chatModify({ archive: true, lastMessages }, back.key.remoteJid)
    await two.wait('chats.update', all => all.find(chat => chat.archived === true))
    await sim('phone.archive', { account: ACCOUNT, chat: OTHER, archived: true })
    await two.sock.updateProfileName('Ada')
    await one.wait('creds.update', creds => creds.me?.name === 'Ada')
    await one.state.keys.set({ 'app-state-sync-version': { regular_low: null } })
    await one.sock.resyncAppState(['regular_low'], true)
    const versions = await one.state.keys.get('app-state-sync-version', ['regular_low'])
    assert.equal(versions.regular_low.version, 2)
  })
  await step('privacy, and what there is not', async () => {
    assert.equal(Object.keys(await one.sock.fetchPrivacySettings(true)).length, 9)
    await one.sock.updateLastSeenPrivacy('contacts')
    assert.equal((await two.sock.fetchPrivacySettings(true)).last, 'contacts')
    const nonsense = { tag: 'iq', attrs: { to: 's.whatsapp.net', type: 'set', xmlns: 'nonsense' } }
    await assert.rejects(one.sock.query({ ...nonsense, content: [] }), /feature-not-implemented/)
  })
  await step('a call is declined', async () => {
    const declined = new Promise(done => one.sock.ws.on('CB:call', done))
    const offer = { tag: 'offer', attrs: { 'call-id': 'C0FFEE', 'call-creator': one.sock.user.id } }
    await one.sock.sendNode({ tag: 'call', attrs: { to: jid(FRIEND), id: 'C1' }, content: [offer] })
    assert.equal((await declined).content[0].tag, 'reject')
  })
}

async function connections() {
  await step('what was written while the client was away', async () => {
    await one.away()
    await sim('recipient.reply', { number: FRIEND, to: ACCOUNT, text: 'away' })
    await one.start()
    await one.message(got => got.message?.conversation === 'away')
  })
  await step('the reason of an end arrives before the end', async () => {
    await sim('server.replace_session', { account: ACCOUNT })
    const code = update => update.lastDisconnect?.error?.output?.statusCode
    await one.wait('connection.update', update => code(update) === DisconnectReason.connectionReplaced)
  })
}

try {
  // It writes to people under the name that it was given, their number.
  await sim('server.set', { strict: false })
  for (const number of [FRIEND, OTHER]) await sim('recipient.add', { number, companions: 1 })
  one = await Client.new(ACCOUNT)
  two = await Client.new(ACCOUNT)
  console.log('paired twice')
  await messages()
  await groups()
  await account()
  await connections()
  console.log('done')
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
