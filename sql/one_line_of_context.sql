EXCEPTION WHEN OTHERS THEN
    -- The errors of this extension say what is wrong and what to do. Raised here again, they come without a line of
    -- context, in psql and in the server's log, for each function and statement that led to them. Others come as they are.
    DECLARE
        error_detail text;
        error_hint text;
    BEGIN
        GET STACKED DIAGNOSTICS error_detail = PG_EXCEPTION_DETAIL, error_hint = PG_EXCEPTION_HINT;
        IF error_detail = '' OR error_hint = '' THEN
            RAISE;
        END IF;
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM, DETAIL = error_detail, HINT = error_hint;
    END;
