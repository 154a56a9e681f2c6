/** Metrics of pgq for Prometheus. */

export { PrometheusMetrics, type PrometheusOptions, prometheusMetrics } from './prometheus-metrics.ts'
