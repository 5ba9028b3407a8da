// GREEN-API's client, as it is on npm, against the front:
// `node green.mjs FOLDER ORIGIN TOKEN SIMULATOR DAEMON`, where FOLDER has it in its node_modules,
// and the last two are control sockets. Prints a line for each step, and ends with 1 at the first
// one that fails.
//
// Nothing of the client is changed. Its parameters `host` and `media` take an address of plain
// HTTP: it needs no TLS.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'

const [folder, origin, token, simulator, daemon] = process.argv.slice(2)
const require = createRequire(path.join(path.resolve(folder), 'any.js'))
const client = require('@green-api/whatsapp-api-client')
const FormData = require('form-data')

const FRIEND = '15550111'
const CHAT = `${FRIEND}@c.us`
const api = client.restAPI({ idInstance: '7105000001', apiTokenInstance: token, host: origin, media: origin })

/** Calls over a control socket. */
function caller(socketPath) {
  const socket = net.connect(socketPath)
  const replies = new Map()
  readline.createInterface({ input: socket }).on('line', line => {
    const { id, result, error } = JSON.parse(line)
    const [done, failed] = replies.get(id)
    error ? failed(new Error(error.message)) : done(result)
  })
  let calls = 0
  return (method, params = {}) =>
    new Promise((done, failed) => {
      replies.set(++calls, [done, failed])
      socket.write(JSON.stringify({ jsonrpc: '2.0', id: calls, method, params }) + '\n')
    })
}
const sim = caller(simulator)
const queue = caller(daemon)

async function step(name, act) {
  await act()
  console.log(name)
}

/** The next notification of this kind; all up to it are deleted. */
async function notified(kind, fits) {
  for (;;) {
    const next = await api.webhookService.receiveNotification()
    if (!next) continue
    assert.equal((await api.webhookService.deleteNotification(next.receiptId)).result, true)
    if (next.body.typeWebhook === kind && fits(next.body)) return next.body
  }
}

try {
  await step('the state', async () => {
    assert.deepEqual(await api.instance.getStateInstance(), { stateInstance: 'authorized' })
    assert.equal((await api.settings.getSettings()).wid, '15550100@c.us')
    assert.equal(await api.webhookService.receiveNotification(), null)
  })
  await step('numbers', async () => {
    assert.deepEqual(await api.instance.checkWhatsapp(15550111), { existsWhatsapp: true })
    assert.deepEqual(await api.instance.checkWhatsapp(15550112), { existsWhatsapp: false })
  })
  let text
  await step('a text, and what became of it', async () => {
    text = await api.message.sendMessage(CHAT, null, 'hello')
    await notified('outgoingMessageStatus', body => body.idMessage === text.idMessage)
    const { messages } = await sim('recipient.inbox', { number: FRIEND })
    assert.equal(messages.find(got => got.id === text.idMessage).text, 'hello')
  })
  await step('a file', async () => {
    const form = new FormData()
    form.append('chatId', CHAT)
    form.append('caption', 'the report')
    form.append('file', Buffer.from('%PDF-1.4\n' + 'x'.repeat(100_000)), { filename: 'report.pdf' })
    const { idMessage } = await api.file.sendFileByUpload(form)
    await notified('outgoingMessageStatus', body => body.idMessage === idMessage)
    const { messages } = await sim('recipient.inbox', { number: FRIEND })
    assert.equal(messages.find(got => got.id === idMessage).content.kind, 'document')
  })
  await step('a place and a contact', async () => {
    await api.message.sendLocation(CHAT, null, 'Office', 'Main Street', 48.5, 9.25)
    const last = await api.message.sendContact(CHAT, null, { phoneContact: 15550113, firstName: 'Bob' })
    await notified('outgoingMessageStatus', body => body.idMessage === last.idMessage)
  })
  await step('the queue, shown and cleared', async () => {
    await queue('queue.pause')
    const { idMessage } = await api.message.sendMessage(null, 15550111, 'not yet')
    const [waiting] = await api.message.showMessagesQueue()
    assert.equal(waiting.messageID, idMessage)
    assert.equal(waiting.type, 'sendMessage')
    assert.deepEqual(waiting.body, { chatId: CHAT, message: 'not yet' })
    assert.deepEqual(await api.message.clearMessagesQueue(), { isCleared: true })
    assert.deepEqual(await api.message.showMessagesQueue(), [])
  })
  await step('what comes in, by the client’s own loop', async () => {
    const came = new Promise(done => api.webhookService.onReceivingMessageText(done))
    await api.webhookService.startReceivingNotifications()
    await sim('recipient.reply', { number: FRIEND, text: 'back' })
    const body = await came
    assert.equal(body.messageData.textMessageData.textMessage, 'back')
    assert.equal(body.senderData.sender, CHAT)
    await api.webhookService.stopReceivingNotifications()
    const [last] = await api.message.lastIncomingMessages()
    assert.equal(last.textMessage, 'back')
    const history = await api.message.getChatHistory(CHAT, 10)
    assert(history.some(entry => entry.idMessage === text.idMessage))
  })
  await step('a wrong token', () => {
    const other = client.restAPI({ idInstance: '1', apiTokenInstance: 'x', host: origin, media: origin })
    return assert.rejects(other.instance.getStateInstance(), /401/)
  })
  console.log('done')
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
