import * as conventions from '@opentelemetry/semantic-conventions/incubating'
import { expect, test } from 'vitest'
import { ATTRIBUTES, METRICS } from '../src/names.ts'

test('names are those of the conventions', () => {
  expect({ ...ATTRIBUTES, ...METRICS }).toMatchObject({
    system: conventions.ATTR_MESSAGING_SYSTEM_NAME,
    destination: conventions.ATTR_MESSAGING_DESTINATION_NAME,
    operationName: conventions.ATTR_MESSAGING_OPERATION_NAME,
    operationType: conventions.ATTR_MESSAGING_OPERATION_TYPE,
    messageId: conventions.ATTR_MESSAGING_MESSAGE_ID,
    batchCount: conventions.ATTR_MESSAGING_BATCH_MESSAGE_COUNT,
    errorType: conventions.ATTR_ERROR_TYPE,
    operationDuration: conventions.METRIC_MESSAGING_CLIENT_OPERATION_DURATION,
    sent: conventions.METRIC_MESSAGING_CLIENT_SENT_MESSAGES,
    consumed: conventions.METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES,
    processDuration: conventions.METRIC_MESSAGING_PROCESS_DURATION,
  })
  expect(conventions.MESSAGING_OPERATION_TYPE_VALUE_SEND).toBe('send')
  expect(conventions.MESSAGING_OPERATION_TYPE_VALUE_PROCESS).toBe('process')
})
