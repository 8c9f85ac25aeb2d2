/**
 * `@grpc/grpc-js`: a unary call and a stream of the server, whose messages are JSON instead of
 * protobuf.
 */
import { once } from "node:events";
import {
  Client as GrpcClient,
  credentials,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { type Client, laterTickets, type Source, type Ticket, tickets } from "./peer.ts";

const serialize = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
// the other end is this file too
const readTicket = (bytes: Buffer): Ticket => JSON.parse(bytes.toString()) as Ticket;
const readSource = (bytes: Buffer): Source => JSON.parse(bytes.toString()) as Source;

const service: ServiceDefinition = {
  echo: {
    path: "/Bench/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: readTicket,
    responseSerialize: serialize,
    responseDeserialize: readTicket,
  },
  tickets: {
    path: "/Bench/Tickets",
    requestStream: false,
    responseStream: true,
    requestSerialize: serialize,
    requestDeserialize: readSource,
    responseSerialize: serialize,
    responseDeserialize: readTicket,
  },
};

const echo: handleUnaryCall<Ticket, Ticket> = (call, answer) => {
  answer(null, call.request);
};

const push: handleServerStreamingCall<Source, Ticket> = (call) => {
  void (async () => {
    for await (const ticket of call.request === "plain" ? tickets() : laterTickets()) {
      if (!call.write(ticket)) await once(call, "drain");
      if (call.cancelled) return;
    }
  })();
};

export function serve(): Promise<number> {
  const server = new Server({ "grpc.max_concurrent_streams": 1_024 });
  server.addService(service, { echo, tickets: push });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

export async function connect(port: number): Promise<Client> {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 20_000, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
  return {
    request: (ticket) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest("/Bench/Echo", serialize, readTicket, ticket, (error, answer) => {
          if (error === null && answer !== undefined) resolve(answer);
          else reject(error ?? new Error("there is no answer"));
        });
      }),
    stream: async (source, take) => {
      for await (const ticket of client.makeServerStreamRequest(
        "/Bench/Tickets",
        serialize,
        readTicket,
        source,
      ))
        take(ticket as Ticket); // as readTicket says
    },
  };
}
