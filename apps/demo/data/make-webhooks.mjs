// Writes the webhooks that the demo reads, one JSON object a line, always the same ones:
//
//     node apps/demo/data/make-webhooks.mjs > apps/demo/data/webhooks.jsonl
//
// Two providers send them, in the formats of Stripe and of Adyen. `body` is the text of the request as it came in, and
// four of the bodies are broken the way real ones are. Names, accounts and signatures are made up.
import { createHmac } from 'node:crypto'

const COUNT = 1_000
const FIRST_AT = Date.UTC(2026, 2, 2, 8, 0, 0)

/** Line numbers of the broken ones. None is a multiple of 40: those are rolled back by the demo, and leave no job to die. */
const BROKEN = {
  138: { provider: 'stripe', breakIt: truncated },
  391: { provider: 'adyen', breakIt: gatewayError },
  654: { provider: 'adyen', breakIt: localisedAmount },
  877: { provider: 'stripe', breakIt: withoutObject },
}

const CUSTOMERS = [
  'Zoë Müller',
  'José Ñuñez',
  'Łukasz Wiśniewski',
  'Nguyễn Thị Hương',
  'Søren Ærøskøbing',
  '山田 太郎',
  '김민서',
  'فاطمة الصباح',
  'Ольга Смирнова',
  'Ελένη Παπαδοπούλου',
  'Siobhán O’Brien',
  'Chloé "Coco" Lefèvre',
  'Priya नायर',
  'Bobby 🎸 Tables',
  'Ana Sá & Filhos, Lda.',
  'Max Mustermann',
]

/** With the largest usual amount in minor units and the step between amounts: JPY has no minor unit, KWD has three digits. */
const CURRENCIES = [
  { code: 'EUR', largest: 90_000, step: 1, weight: 30 },
  { code: 'USD', largest: 120_000, step: 1, weight: 25 },
  { code: 'GBP', largest: 60_000, step: 1, weight: 15 },
  { code: 'JPY', largest: 150_000, step: 1, weight: 10 },
  { code: 'CHF', largest: 80_000, step: 5, weight: 8 },
  { code: 'PLN', largest: 200_000, step: 1, weight: 7 },
  { code: 'KWD', largest: 90_000, step: 10, weight: 5 },
]

const STRIPE_EVENTS = [
  { make: paymentIntentSucceeded, weight: 45 },
  { make: invoicePaid, weight: 25 },
  { make: chargeRefunded, weight: 15 },
  { make: payoutPaid, weight: 9 },
  { make: disputeCreated, weight: 6 },
]

const ADYEN_EVENTS = [
  { code: 'AUTHORISATION', weight: 55 },
  { code: 'CAPTURE', weight: 25 },
  { code: 'REFUND', weight: 14 },
  { code: 'CHARGEBACK', weight: 6 },
]

const random = randomNumbers(20_260_302)

let receivedAt = FIRST_AT
for (let line = 1; line <= COUNT; line++) {
  receivedAt += integer(40, 2_400)
  process.stdout.write(`${JSON.stringify(makeWebhook(line))}\n`)
}

function makeWebhook(line) {
  const broken = BROKEN[line]
  const provider = broken?.provider ?? (random() < 0.6 ? 'stripe' : 'adyen')
  const event = provider === 'stripe' ? stripeEvent() : adyenNotification()
  const body = broken ? broken.breakIt(event) : JSON.stringify(event)
  return {
    id: `wh_${String(line).padStart(4, '0')}`,
    provider,
    receivedAt: new Date(receivedAt).toISOString(),
    headers: provider === 'stripe' ? stripeHeaders(body) : adyenHeaders(body),
    body,
  }
}

// The requests

function stripeHeaders(body) {
  const timestamp = seconds()
  return {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    'stripe-signature': `t=${timestamp},v1=${hmac('hex', `${timestamp}.${body}`)}`,
  }
}

function adyenHeaders(body) {
  return {
    'content-type': body.startsWith('<') ? 'text/html' : 'application/json',
    'user-agent': 'Adyen HttpClient 1.0',
    'protocol-version': '1',
    hmacsignature: hmac('base64', body),
  }
}

// Events in the format of Stripe

function stripeEvent() {
  const { type, object } = pick(STRIPE_EVENTS).make()
  return {
    id: `evt_${token(24)}`,
    object: 'event',
    api_version: '2025-09-30.clover',
    created: seconds(),
    type,
    livemode: true,
    pending_webhooks: integer(1, 3),
    request: { id: random() < 0.7 ? `req_${token(14)}` : null, idempotency_key: null },
    data: { object },
  }
}

function paymentIntentSucceeded() {
  const { amount, currency } = stripeMoney()
  const object = {
    id: `pi_${token(24)}`,
    object: 'payment_intent',
    amount,
    amount_received: amount,
    currency,
    customer: `cus_${token(14)}`,
    latest_charge: `ch_${token(24)}`,
    status: 'succeeded',
    shipping: {
      name: customer(),
      address: { city: null, country: one(['DE', 'FR', 'GB', 'JP', 'KW', 'PL', 'US']) },
    },
    metadata: { order_id: `${integer(10_000, 99_999)}`, note: random() < 0.1 ? 'Geschenk 🎁 für "Oma"' : '' },
  }
  return { type: 'payment_intent.succeeded', object }
}

function invoicePaid() {
  const { amount, currency } = stripeMoney()
  const period = { start: seconds(), end: seconds() + 30 * 86_400 }
  const object = {
    id: `in_${token(24)}`,
    object: 'invoice',
    amount_due: amount,
    amount_paid: amount,
    currency,
    customer: `cus_${token(14)}`,
    customer_name: customer(),
    billing_reason: one(['subscription_create', 'subscription_cycle', 'subscription_update']),
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: `sub_${token(24)}`, metadata: {} },
    },
    lines: {
      object: 'list',
      data: [{ amount, currency, description: '1 × Pro (monthly)', period }],
      has_more: false,
    },
  }
  return { type: 'invoice.paid', object }
}

function chargeRefunded() {
  const { amount, currency } = stripeMoney()
  const object = {
    id: `ch_${token(24)}`,
    object: 'charge',
    amount: amount * integer(1, 3),
    amount_refunded: amount,
    currency,
    billing_details: { name: customer(), email: null, phone: null },
    payment_intent: `pi_${token(24)}`,
    payment_method_details: { type: 'card', card: { brand: one(['visa', 'mastercard']), last4: digits(4) } },
  }
  return { type: 'charge.refunded', object }
}

function payoutPaid() {
  const { amount, currency } = stripeMoney()
  const object = {
    id: `po_${token(24)}`,
    object: 'payout',
    amount: amount * 20,
    currency,
    arrival_date: seconds() + 86_400,
    destination: `ba_${token(24)}`,
    method: 'standard',
    status: 'paid',
  }
  return { type: 'payout.paid', object }
}

function disputeCreated() {
  const { amount, currency } = stripeMoney()
  const object = {
    id: `du_${token(24)}`,
    object: 'dispute',
    amount,
    currency,
    charge: `ch_${token(24)}`,
    evidence: { customer_name: customer(), product_description: null },
    evidence_details: { due_by: seconds() + 9 * 86_400, has_evidence: false },
    reason: one(['fraudulent', 'product_not_received', 'duplicate']),
    status: 'needs_response',
  }
  return { type: 'charge.dispute.created', object }
}

/** Stripe writes currencies in lower case. */
function stripeMoney() {
  const { value, currency } = money()
  return { amount: value, currency: currency.toLowerCase() }
}

// Notifications in the format of Adyen

function adyenNotification() {
  const { code } = pick(ADYEN_EVENTS)
  const item = {
    additionalData: { shopperName: customer(), cardSummary: digits(4), hmacSignature: token(43) + '=' },
    amount: money(),
    eventCode: code,
    eventDate: new Date(receivedAt).toISOString().replace(/\.\d+Z$/, '+00:00'),
    merchantAccountCode: 'ExampleShopECOM',
    merchantReference: `order-${integer(10_000, 99_999)}`,
    originalReference: code === 'AUTHORISATION' ? undefined : token(16).toUpperCase(),
    paymentMethod: one(['visa', 'mc', 'ideal', 'blik', 'klarna']),
    pspReference: token(16).toUpperCase(),
    reason: code === 'CHARGEBACK' ? 'Other Fraud-Card Absent Environment' : `${digits(6)}:1111:03/2030`,
    success: 'true',
  }
  return { live: 'true', notificationItems: [{ NotificationRequestItem: item }] }
}

// The broken bodies

/** The connection broke before the whole request had arrived. */
function truncated(event) {
  const body = JSON.stringify(event)
  return body.slice(0, Math.floor(body.length * 0.6))
}

/** A gateway on the way put its error page in the place of the event. */
function gatewayError() {
  return [
    '<html>',
    '<head><title>502 Bad Gateway</title></head>',
    '<body>',
    '<center><h1>502 Bad Gateway</h1></center>',
    '<hr><center>nginx</center>',
    '</body>',
    '</html>',
    '',
  ].join('\r\n')
}

/** A plugin of the shop formatted the amount for people. */
function localisedAmount(notification) {
  notification.notificationItems[0].NotificationRequestItem.amount = { value: '12,50', currency: 'EUR' }
  return JSON.stringify(notification)
}

/** An endpoint that was switched to "thin" events gets a reference in the place of the object. */
function withoutObject(event) {
  const { id } = event.data.object
  const related_object = { id, type: event.data.object.object, url: `/v1/${event.data.object.object}s/${id}` }
  return JSON.stringify({ ...event, object: 'v2.core.event', data: {}, related_object })
}

// What they are made of

function money() {
  const { code, largest, step } = pick(CURRENCIES)
  // Squared, because most payments are small ones.
  const value = Math.max(1, Math.floor((random() ** 2 * largest) / step)) * step
  return { value, currency: code }
}

function customer() {
  return one(CUSTOMERS)
}

function seconds() {
  return Math.floor(receivedAt / 1_000)
}

function hmac(encoding, text) {
  return createHmac('sha256', 'a secret of this demo').update(text).digest(encoding)
}

function digits(length) {
  return letters('0123456789', length)
}

function token(length) {
  return letters('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', length)
}

function letters(alphabet, length) {
  return Array.from({ length }, () => one([...alphabet])).join('')
}

function integer(from, to) {
  return from + Math.floor(random() * (to - from + 1))
}

function one(values) {
  return values[integer(0, values.length - 1)]
}

function pick(weighted) {
  let rest = random() * weighted.reduce((sum, { weight }) => sum + weight, 0)
  return weighted.find(({ weight }) => (rest -= weight) < 0) ?? weighted[0]
}

/** The generator called mulberry32: small, and the same on every machine. */
function randomNumbers(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
