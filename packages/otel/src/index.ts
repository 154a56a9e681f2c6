/** Traces and metrics of pgq for OpenTelemetry. */

export { instrument, type InstrumentOptions } from './instrument.ts'
