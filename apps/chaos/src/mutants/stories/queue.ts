/** The queue of all stories. */
export const QUEUE = 'story'
