CREATE SCHEMA "drizzle_shop";
--> statement-breakpoint
CREATE TABLE "drizzle_shop"."payments" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"invoice" text NOT NULL,
	"email" text NOT NULL,
	"amount_minor" integer NOT NULL,
	"currency" text NOT NULL,
	"paid_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "payments_invoice_unique" UNIQUE("invoice")
);
--> statement-breakpoint
CREATE TABLE "drizzle_shop"."postings" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "drizzle_shop"."postings_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"payment_id" uuid NOT NULL,
	"account" text NOT NULL,
	"amount_minor" integer NOT NULL,
	"job_id" uuid NOT NULL,
	"attempt" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "drizzle_shop"."postings" ADD CONSTRAINT "postings_payment_id_payments_id_fk" FOREIGN KEY ("payment_id") REFERENCES "drizzle_shop"."payments"("id") ON DELETE no action ON UPDATE no action;