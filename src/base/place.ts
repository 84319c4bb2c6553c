/** Bytes that stand for one folder of a machine, where it is told whether folders lie in each other. */
export const PLACE_BYTES = 8;
