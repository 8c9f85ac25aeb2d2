/** `@grpc/grpc-js`: one unary call whose messages are bytes, so that no protobuf is parsed. */
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { announce } from "./serving.ts";

const same = (bytes: Buffer): Buffer => bytes;
const service: ServiceDefinition = {
  echo: {
    path: "/Bench/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

const server = new Server({ "grpc.max_concurrent_streams": 1_024 });
server.addService(service, {
  echo: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    answer(null, call.request);
  },
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  announce(port);
});
