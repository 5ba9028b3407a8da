// Baileys, as it is on npm, with the simulator as its server: sends texts to one person, and
// prints a line of JSON for each batch of them once the last one is read:
// `node baileys.mjs FOLDER READY COUNT BATCH`. FOLDER has it in its node_modules, READY is the
// line that tether-sim prints. How it is pointed at the simulator: see tests/peers/baileys.mjs.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, readyLine, count, batch] = process.argv.slice(2)
const ready = JSON.parse(readyLine)
const require = createRequire(path.join(path.resolve(folder), 'any.js'))
const load = name => import(pathToFileURL(require.resolve(name)).href)
const { default: makeWASocket, useMultiFileAuthState, DisconnectReason, WA_CERT_DETAILS } =
  await load('baileys')
const { default: pino } = await load('pino')
Buffer.from(ready.root_key, 'hex').copy(WA_CERT_DETAILS.PUBLIC_KEY)

const READ = 4
const control = net.connect(ready.control)
control.resume()
const keys = mkdtempSync(path.join(tmpdir(), 'tetherd-baileys-'))
process.on('exit', () => rmSync(keys, { recursive: true, force: true }))
/** The messages of a batch that were read, and what is done at each. */
const read = new Set()
let onRead = () => {}

function connect() {
  return new Promise(async opened => {
    const { state, saveCreds } = await useMultiFileAuthState(keys)
    const sock = makeWASocket({
      auth: state,
      waWebSocketUrl: ready.endpoint,
      version: [2, 3000, 1],
      logger: pino({ level: 'silent' }),
    })
    sock.ev.on('creds.update', saveCreds)
    const note = (key, status) => {
      if (status >= READ) read.add(key.id)
      onRead()
    }
    // A status is an update of a message, or part of one that is published late.
    sock.ev.on('messages.update', all => all.forEach(one => note(one.key, one.update.status)))
    sock.ev.on('messages.upsert', ({ messages }) => messages.forEach(one => note(one.key, one.status)))
    sock.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
      const scan = { jsonrpc: '2.0', id: 1, method: 'phone.scan', params: { qr } }
      if (qr) control.write(JSON.stringify(scan) + '\n')
      if (connection === 'open') opened(sock)
      const code = lastDisconnect?.error?.output?.statusCode
      if (connection === 'close' && code === DisconnectReason.restartRequired) opened(connect())
    })
  })
}

const sock = await connect()
for (let first = 0; first < Number(count); first += Number(batch)) {
  const cpu = process.cpuUsage()
  const started = process.hrtime.bigint()
  read.clear()
  for (let n = first; n < first + Number(batch); n++) {
    await sock.sendMessage('15550111@s.whatsapp.net', { text: `text number ${n}` })
  }
  await new Promise(done => {
    onRead = () => read.size >= Number(batch) && done()
    onRead()
  })
  const { user, system } = process.cpuUsage(cpu)
  const line = {
    cpu_s: (user + system) / 1e6,
    elapsed_s: Number(process.hrtime.bigint() - started) / 1e9,
    rss_kib: Math.round(process.memoryUsage().rss / 1024),
  }
  console.log(JSON.stringify(line))
}
process.exit(0)
