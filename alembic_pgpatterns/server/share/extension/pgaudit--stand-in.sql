\echo Use "CREATE EXTENSION pgaudit" to load this file. \quit
