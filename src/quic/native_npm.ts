/** The native addon as npm installs it. Packaging puts another loader in place of this file. */
import native from "@matrixai/quic/native";
import type { QuicBinding } from "./binding.ts";

export default native.quiche as unknown as QuicBinding;
