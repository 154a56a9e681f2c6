/** A part that runs in the background. Both calls may be repeated; `stop` leaves no timer and no handle behind. */
export interface Service {
  start(): Promise<void>
  stop(): Promise<void>
}
